#include "samebits/explain/trace_location.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace samebits {
namespace {

struct IndexRange {
  std::int64_t first = 0, last = 0;
};

/// The range that the marked indexes fill, at most half of all, without a gap of its own length.
std::optional<IndexRange> confined_range(const std::vector<bool>& marked) {
  const auto count = std::count(marked.begin(), marked.end(), true);
  const auto size = static_cast<std::int64_t>(marked.size());
  if (count == 0 || 2 * count > size) return std::nullopt;
  const auto first = std::find(marked.begin(), marked.end(), true) - marked.begin();
  const auto last = size - 1 - (std::find(marked.rbegin(), marked.rend(), true) - marked.rbegin());
  if (2 * (last - first + 1) > size && size > 2) return std::nullopt;
  return IndexRange{first, last};
}

std::string range_words(const char* what, const IndexRange& range, std::int64_t of) {
  return range.first == range.last
             ? fmt::format("{} {} of {}", what, range.first, of)
             : fmt::format("{}s {} to {} of {}", what, range.first, range.last, of);
}

std::string_view last_name(std::string_view point) { return point.substr(point.rfind('.') + 1); }

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

/// Whether a point's columns are the heads of an attention, one behind the other.
bool has_heads(std::string_view point) {
  return is_one_of(last_name(point), {"q_proj", "k_proj", "v_proj", "query", "key", "value"}) ||
         point.ends_with("attention.attention") || point.ends_with("attention.self");
}

/// The parts that a fused module's output consists of.
std::vector<std::string_view> chunks_of(std::string_view point) {
  const std::string_view name = last_name(point);
  if (is_one_of(name, {"qkv", "in_proj", "c_attn"})) return {"q", "k", "v"};
  if (is_one_of(name, {"weights_in", "w12", "gate_up_proj"}))
    return {"the first half", "the second half"};
  return {};
}

/// Which heads a range of `columns` columns touches.
std::vector<std::int64_t> heads_in(const IndexRange& range, std::int64_t columns,
                                   std::int64_t heads) {
  std::vector<std::int64_t> in;
  if (heads < 2 || columns % heads != 0) return in;
  const std::int64_t width = columns / heads;
  for (std::int64_t head = range.first / width; head <= range.last / width; ++head)
    in.push_back(head);
  return in;
}

void add_columns(const std::string& point, IndexRange range, std::int64_t columns,
                 std::int64_t heads, TraceLocation* location) {
  std::string& text = location->text;
  text += (text.empty() ? "" : ", ") + range_words("column", range, columns);
  const std::vector<std::string_view> chunks = chunks_of(point);
  const auto count = static_cast<std::int64_t>(chunks.size());
  if (count > 0 && columns % count == 0) {
    const std::int64_t width = columns / count;
    const std::int64_t chunk = range.first / width;
    if (range.last / width != chunk) return;
    text += fmt::format(", in {}", chunks[static_cast<std::size_t>(chunk)]);
    if (count != 3) return;
    range = {range.first % width, range.last % width};
    columns = width;
  } else if (!has_heads(point)) {
    return;
  }
  location->heads = heads_in(range, columns, heads);
  if (location->heads.empty()) return;
  text += fmt::format(", head{} {} of {}", location->heads.size() == 1 ? "" : "s",
                      fmt::join(location->heads, ", "), heads);
}

}  // namespace

TraceLocation locate_difference(const std::string& point, const ValuePair& values, double bound,
                                std::int64_t heads) {
  TraceLocation location;
  const Shape& shape = values.a.shape();
  const bool plain = values.a.is_plain() && values.b.is_plain();
  if (shape.size() < 2 || values.a.numel() == 0 || !plain ||
      !has_element_values(values.a.dtype()) || !has_element_values(values.b.dtype()))
    return location;
  const auto columns = static_cast<std::size_t>(shape.back());
  const auto tokens = static_cast<std::size_t>(shape[shape.size() - 2]);
  const auto images = static_cast<std::size_t>(shape[0]);
  const std::uint64_t per_image = values.a.numel() / images;
  std::vector<bool> in_column(columns), in_token(tokens), in_image(images);
  const Bytes a = values.a.plain_bytes();
  const Bytes b = values.b.plain_bytes();
  for (std::uint64_t i = 0; i < values.a.numel(); ++i) {
    const double x = element_as_double(values.a.dtype(), &a[i * itemsize(values.a.dtype())]);
    const double y = element_as_double(values.b.dtype(), &b[i * itemsize(values.b.dtype())]);
    if (x == y || std::fabs(x - y) <= bound || (std::isnan(x) && std::isnan(y))) continue;
    in_column[i % columns] = in_token[i / columns % tokens] = in_image[i / per_image] = true;
  }
  const auto add = [&](const char* what, const std::vector<bool>& marked) {
    if (const auto range = confined_range(marked))
      location.text += (location.text.empty() ? "" : ", ") +
                       range_words(what, *range, static_cast<std::int64_t>(marked.size()));
  };
  add("image", in_image);
  if (shape.size() == 3) add("token", in_token);
  if (const auto range = confined_range(in_column); range && shape.size() <= 3)
    add_columns(point, *range, static_cast<std::int64_t>(columns), heads, &location);
  return location;
}

}  // namespace samebits
