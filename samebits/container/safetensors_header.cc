#include "samebits/container/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "samebits/base/json_events.h"
#include "samebits/base/limits.h"

namespace samebits {
namespace {

std::string quoted_name(const std::string& name) { return "\"" + name.substr(0, 200) + "\""; }

// A tensor's three fields as they arrive.
struct Fields {
  std::optional<std::string> dtype;
  std::optional<Shape> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

class HeaderBuilder final : public JsonHandler {
 public:
  SafetensorsHeader take() { return std::move(header_); }
  const std::vector<std::uint64_t>& metadata_offsets() const { return metadata_offsets_; }

  Result<void> null() override;
  Result<void> boolean(bool) override { return scalar("a boolean"); }
  Result<void> signed_integer(std::int64_t) override { return scalar("a negative number"); }
  Result<void> real(double) override { return scalar("a number that is no whole number"); }
  Result<void> unsigned_integer(std::uint64_t value) override;
  Result<void> text(std::string& value) override;
  Result<void> begin_object() override;
  Result<void> key(std::string& name, std::uint64_t offset) override;
  Result<void> end_object() override;
  Result<void> begin_array() override;
  Result<void> end_array() override;

 private:
  // What the next value is, or whose elements follow.
  enum class Place {
    document,
    header,          // inside the outermost object
    metadata_value,  // after "__metadata__":
    metadata,        // inside it
    metadata_text,   // after one of its keys
    tensor_value,    // after a tensor's name
    tensor,          // inside it
    dtype,
    shape_value,
    shape,
    offsets_value,
    offsets,
    ignored,  // any value of an unknown field
  };

  Error error(ErrorCode code, std::string what) const {
    return {.code = code, .what = std::move(what), .offset = key_offset_};
  }
  Result<void> unexpected(const char* found) const;
  Result<void> scalar(const char* found);
  Result<void> top_key(std::string& name);
  Result<void> metadata_key(std::string& name);
  Result<void> tensor_key(const std::string& name);
  Result<void> finish_tensor();
  Result<void> check_size(const SafetensorsEntry& entry, std::uint64_t bits) const;
  Result<void> halve_last_dimension(Shape& shape) const;

  SafetensorsHeader header_;
  std::vector<std::uint64_t> metadata_offsets_;
  Place place_ = Place::document;
  std::uint32_t ignored_depth_ = 0;
  bool has_metadata_ = false;
  std::string name_;  // of the tensor, or "__metadata__"
  Fields fields_;
  std::uint64_t key_offset_ = 0;   // of the latest key
  std::uint64_t name_offset_ = 0;  // of the tensor's name
};

Result<void> HeaderBuilder::unexpected(const char* found) const {
  const std::string where =
      name_.empty() && place_ == Place::document ? "the header" : "the entry " + quoted_name(name_);
  static constexpr const char* kExpected[] = {
      "an object", "a key",  "an object or null", "a key",  "a string",       "an object", "a key",
      "a string",  "a list", "a whole number",    "a list", "a whole number", "any value"};
  Error e = error(ErrorCode::malformed, where + " has the wrong form");
  e.expected = kExpected[static_cast<std::size_t>(place_)];
  e.found = found;
  return fail(std::move(e));
}

Result<void> HeaderBuilder::scalar(const char* found) {
  if (place_ != Place::ignored) return unexpected(found);
  if (ignored_depth_ == 0) place_ = Place::tensor;
  return {};
}

Result<void> HeaderBuilder::null() {
  if (place_ != Place::metadata_value) return scalar("null");
  place_ = Place::header;
  return {};
}

Result<void> HeaderBuilder::unsigned_integer(std::uint64_t value) {
  if (place_ == Place::shape) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) ||
        fields_.shape->size() == kLimits.dimensions) {
      return fail(error(ErrorCode::limit, "the shape of " + quoted_name(name_) + " is too large"));
    }
    fields_.shape->push_back(static_cast<std::int64_t>(value));
    return {};
  }
  if (place_ == Place::offsets && fields_.offsets->size() < 2) {
    fields_.offsets->push_back(value);
    return {};
  }
  return scalar("a number");
}

Result<void> HeaderBuilder::text(std::string& value) {
  if (place_ == Place::metadata_text) {
    header_.file.metadata.back().second = std::move(value);
    place_ = Place::metadata;
    return {};
  }
  if (place_ == Place::dtype) {
    fields_.dtype = std::move(value);
    place_ = Place::tensor;
    return {};
  }
  return scalar("a string");
}

Result<void> HeaderBuilder::begin_object() {
  switch (place_) {
    case Place::document: place_ = Place::header; return {};
    case Place::metadata_value: place_ = Place::metadata; return {};
    case Place::tensor_value:
      place_ = Place::tensor;
      fields_ = {};
      return {};
    case Place::ignored: ++ignored_depth_; return {};
    default: return unexpected("an object");
  }
}

Result<void> HeaderBuilder::begin_array() {
  switch (place_) {
    case Place::shape_value:
      place_ = Place::shape;
      fields_.shape.emplace();
      return {};
    case Place::offsets_value:
      place_ = Place::offsets;
      fields_.offsets.emplace();
      return {};
    case Place::ignored: ++ignored_depth_; return {};
    default: return unexpected("a list");
  }
}

Result<void> HeaderBuilder::end_array() {
  if (place_ == Place::ignored && --ignored_depth_ > 0) return {};
  if (place_ == Place::offsets && fields_.offsets->size() != 2) {
    return unexpected("a list that is too short");
  }
  place_ = Place::tensor;
  return {};
}

Result<void> HeaderBuilder::end_object() {
  switch (place_) {
    case Place::ignored:
      if (--ignored_depth_ == 0) place_ = Place::tensor;
      return {};
    case Place::tensor: place_ = Place::header; return finish_tensor();
    case Place::metadata: place_ = Place::header; return {};
    default: return {};  // the header itself
  }
}

Result<void> HeaderBuilder::key(std::string& name, std::uint64_t offset) {
  if (place_ == Place::ignored) return {};
  key_offset_ = offset;
  switch (place_) {
    case Place::header: return top_key(name);
    case Place::metadata: return metadata_key(name);
    default: return tensor_key(name);
  }
}

Result<void> HeaderBuilder::top_key(std::string& name) {
  name_ = std::move(name);
  name_offset_ = key_offset_;
  if (name_ != "__metadata__") {
    place_ = Place::tensor_value;
    return {};
  }
  if (std::exchange(has_metadata_, true)) {
    return fail(error(ErrorCode::inconsistent, "the header has __metadata__ twice"));
  }
  place_ = Place::metadata_value;
  return {};
}

Result<void> HeaderBuilder::metadata_key(std::string& name) {
  if (header_.file.metadata.size() == kLimits.safetensors_entries) {
    return fail(error(ErrorCode::limit, "__metadata__ has too many entries"));
  }
  header_.file.metadata.emplace_back(std::move(name), std::string());
  metadata_offsets_.push_back(key_offset_);
  place_ = Place::metadata_text;
  return {};
}

Result<void> HeaderBuilder::tensor_key(const std::string& name) {
  bool repeated = false;
  if (name == "dtype") {
    place_ = Place::dtype;
    repeated = fields_.dtype.has_value();
  } else if (name == "shape") {
    place_ = Place::shape_value;
    repeated = fields_.shape.has_value();
  } else if (name == "data_offsets") {
    place_ = Place::offsets_value;
    repeated = fields_.offsets.has_value();
  } else {
    place_ = Place::ignored;
  }
  if (!repeated) return {};
  return fail(error(ErrorCode::inconsistent,
                    "the tensor " + quoted_name(name_) + " has " + name + " twice"));
}

Result<void> HeaderBuilder::finish_tensor() {
  key_offset_ = name_offset_;
  if (!fields_.dtype || !fields_.shape || !fields_.offsets) {
    Error e = error(ErrorCode::malformed, "the tensor " + quoted_name(name_) + " lacks a field");
    e.expected = "dtype, shape and data_offsets";
    return fail(std::move(e));
  }
  const std::optional<DType> dtype = dtype_from_safetensors(*fields_.dtype);
  if (!dtype) {
    Error e =
        error(ErrorCode::unsupported, "the tensor " + quoted_name(name_) + " has an unknown dtype");
    e.found = quoted_name(*fields_.dtype);
    return fail(std::move(e));
  }
  if (header_.file.entries.size() == kLimits.safetensors_entries) {
    return fail(error(ErrorCode::limit, "the header has too many tensors"));
  }
  SafetensorsEntry entry{name_, *dtype, std::move(*fields_.shape), (*fields_.offsets)[0],
                         (*fields_.offsets)[1]};
  const bool packed = *dtype == DType::float4_e2m1fn_x2;
  SAMEBITS_TRY_VOID(check_size(entry, packed ? 4 : 8 * itemsize(*dtype)));
  if (packed) SAMEBITS_TRY_VOID(halve_last_dimension(entry.shape));
  header_.file.entries.push_back(std::move(entry));
  header_.key_offsets.push_back(name_offset_);
  return {};
}

Result<void> HeaderBuilder::check_size(const SafetensorsEntry& entry, std::uint64_t bits) const {
  const auto count = element_count(entry.shape);
  std::uint64_t total = 0;
  if (!count || !checked_mul(*count, bits, &total)) {
    return fail(error(ErrorCode::limit, "the shape of " + quoted_name(name_) + " overflows"));
  }
  if (total % 8 != 0) {
    return fail(
        error(ErrorCode::malformed, "the tensor " + quoted_name(name_) + " ends inside a byte"));
  }
  if (entry.end >= entry.begin && entry.end - entry.begin == total / 8) return {};
  Error e = error(ErrorCode::inconsistent,
                  "shape and data_offsets of " + quoted_name(name_) + " contradict each other");
  e.expected = std::to_string(total / 8) + " bytes";
  e.found = "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + ")";
  return fail(std::move(e));
}

Result<void> HeaderBuilder::halve_last_dimension(Shape& shape) const {
  if (shape.empty() || shape.back() % 2 != 0) {
    return fail(error(ErrorCode::unsupported, "the last dimension of " + quoted_name(name_) +
                                                  " is odd, and F4 holds pairs"));
  }
  shape.back() /= 2;
  return {};
}

// `name(i)` of i in [0, offsets.size()), each once.
template <class Name>
Result<void> check_unique(const std::vector<std::uint64_t>& offsets, const Name& name) {
  std::vector<std::uint32_t> order(offsets.size());  // kLimits.safetensors_entries fits
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return name(a) != name(b) ? name(a) < name(b) : a < b;
  });
  const auto repeated =
      std::adjacent_find(order.begin(), order.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return name(a) == name(b); });
  if (repeated == order.end()) return {};
  const std::uint32_t second = *(repeated + 1);
  return fail({.code = ErrorCode::inconsistent,
               .what = "the header has " + quoted_name(name(second)) + " twice",
               .offset = offsets[second],
               .hint = "Readers disagree about which of the two counts"});
}

Result<SafetensorsHeader> build(Bytes json, const std::string& path, std::uint64_t base) {
  HeaderBuilder builder;
  SAMEBITS_TRY_VOID(scan_json(json, path, base, {.depth = kLimits.safetensors_depth}, builder));
  const std::vector<std::uint64_t> metadata_offsets = builder.metadata_offsets();
  SafetensorsHeader header = builder.take();
  SAMEBITS_TRY_VOID(check_unique(header.key_offsets, [&](std::uint32_t i) -> const std::string& {
    return header.file.entries[i].name;
  }));
  SAMEBITS_TRY_VOID(check_unique(metadata_offsets, [&](std::uint32_t i) -> const std::string& {
    return header.file.metadata[i].first;
  }));
  return header;
}

}  // namespace

Result<SafetensorsHeader> read_safetensors_header(Bytes json, const std::string& path,
                                                  std::uint64_t base) {
  auto header = build(json, path, base);
  if (!header) header.error().file = path;
  return header;
}

}  // namespace samebits
