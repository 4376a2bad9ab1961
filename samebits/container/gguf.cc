#include "samebits/container/gguf.h"

#include <algorithm>
#include <bit>
#include <set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/container/gguf_blocks.h"

namespace samebits {
namespace {

constexpr std::uint32_t kArray = 9, kString = 8;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::size_t kLongestFieldText = 1024;
constexpr int kDeepestArray = 4;

/// Bytes of a value by its type's number; 0 for texts, arrays and numbers that are none.
std::uint64_t value_bytes(std::uint32_t type) {
  constexpr std::uint8_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

Json number_value(std::uint32_t type, const std::uint8_t* p) {
  switch (type) {
    case 0: return *p;
    case 1: return static_cast<std::int8_t>(*p);
    case 2: return load_u16le(p);
    case 3: return static_cast<std::int16_t>(load_u16le(p));
    case 4: return load_u32le(p);
    case 5: return static_cast<std::int32_t>(load_u32le(p));
    case 6: return json_number(std::bit_cast<float>(load_u32le(p)));
    case 7: return *p != 0;
    case 10: return load_u64le(p);
    case 11: return static_cast<std::int64_t>(load_u64le(p));
    default: return json_number(std::bit_cast<double>(load_u64le(p)));
  }
}

class GgufHeaderReader {
 public:
  GgufHeaderReader(Bytes bytes, const std::string& file) : bytes_(bytes), in_(bytes, file) {}

  Result<GgufFile> read() {
    SAMEBITS_TRY_VOID(in_.take(4, "GGUF's magic"));
    SAMEBITS_TRY(out_.version, in_.u32("the version"));
    if (out_.version != 2 && out_.version != 3) return fail(version_error());
    SAMEBITS_TRY(const std::uint64_t tensors, in_.u64("the count of tensors"));
    SAMEBITS_TRY(const std::uint64_t fields, in_.u64("the count of fields"));
    if (tensors > kLimits.tree_entries || fields > kLimits.tree_entries)
      return fail(in_.error(ErrorCode::limit,
                            "the file says that it has more tensors or fields "
                            "than any model"));
    for (std::uint64_t i = 0; i < fields; ++i) SAMEBITS_TRY_VOID(read_field());
    for (std::uint64_t i = 0; i < tensors; ++i) SAMEBITS_TRY_VOID(read_tensor_info());
    out_.header_bytes = in_.position();
    SAMEBITS_TRY_VOID(place_tensors());
    return std::move(out_);
  }

 private:
  Error version_error() const {
    const bool swapped = (out_.version & 0xffff) == 0;
    Error error = in_.error(ErrorCode::unsupported,
                            swapped ? "a GGUF file of a big-endian machine"
                                    : fmt::format("GGUF of version {}", out_.version));
    error.expected = "version 2 or 3, little-endian";
    error.hint = "Convert it again with a llama.cpp of today";
    return error;
  }

  Result<std::string> text(const char* what) {
    SAMEBITS_TRY(const std::uint64_t length, in_.u64(what));
    SAMEBITS_TRY(const Bytes bytes, in_.take(length, what));
    return std::string(as_text(bytes));
  }

  Result<void> read_field() {
    SAMEBITS_TRY(std::string name, text("the name of a field"));
    SAMEBITS_TRY(const std::uint32_t type, in_.u32("the type of a field"));
    if (!field_names_.insert(name).second)
      return fail(in_.error(ErrorCode::malformed, "the field " + name + " stands twice"));
    if (name == "general.alignment" && type != 4)
      return fail(in_.error(ErrorCode::malformed, "general.alignment is no uint32"));
    if (type == kString) {
      SAMEBITS_TRY(std::string value, text("the text of a field"));
      if (value.size() <= kLongestFieldText && is_utf8(value)) out_.fields[name] = std::move(value);
      return {};
    }
    if (type == kArray) return skip_array(0);
    SAMEBITS_TRY(const Bytes value, number(type));
    if (is_utf8(name)) out_.fields[name] = number_value(type, value.data());
    return {};
  }

  static bool is_utf8(const std::string& text) {
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace).find("\xef\xbf\xbd") ==
           std::string::npos;
  }

  Result<Bytes> number(std::uint32_t type) {
    const std::uint64_t bytes = value_bytes(type);
    if (bytes == 0)
      return fail(in_.error(ErrorCode::malformed, fmt::format("a field of type {}", type)));
    return in_.take(bytes, "the value of a field");
  }

  Result<void> skip_array(int depth) {
    SAMEBITS_TRY(const std::uint32_t type, in_.u32("the type of an array"));
    SAMEBITS_TRY(const std::uint64_t count, in_.u64("the length of an array"));
    if (depth > kDeepestArray)
      return fail(in_.error(ErrorCode::limit, "arrays lie deep in one another"));
    if (type == kString || type == kArray) {
      for (std::uint64_t i = 0; i < count; ++i) {
        if (type == kArray) {
          SAMEBITS_TRY_VOID(skip_array(depth + 1));
          continue;
        }
        SAMEBITS_TRY(const std::uint64_t length, in_.u64("the length of a text"));
        SAMEBITS_TRY_VOID(in_.take(length, "a text of an array"));
      }
      return {};
    }
    std::uint64_t bytes = 0;
    if (value_bytes(type) == 0 || !checked_mul(count, value_bytes(type), &bytes))
      return fail(in_.error(ErrorCode::malformed, fmt::format("an array of type {}", type)));
    SAMEBITS_TRY_VOID(in_.take(bytes, "the values of an array"));
    return {};
  }

  Result<void> read_tensor_info() {
    GgufTensor tensor;
    SAMEBITS_TRY(tensor.name, text("the name of a tensor"));
    SAMEBITS_TRY(const std::uint32_t dimensions, in_.u32("the dimensions of " + tensor.name));
    if (dimensions > kLimits.dimensions)
      return fail(in_.error(ErrorCode::limit,
                            fmt::format("{} has {} dimensions", tensor.name, dimensions)));
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      SAMEBITS_TRY(const std::uint64_t size, in_.u64("a size of " + tensor.name));
      if (size > static_cast<std::uint64_t>(INT64_MAX))
        return fail(in_.error(ErrorCode::malformed, "a size of " + tensor.name + " is no size"));
      tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
    }
    SAMEBITS_TRY(tensor.type, in_.u32("the type of " + tensor.name));
    SAMEBITS_TRY(tensor.begin, in_.u64("the place of " + tensor.name));
    if (!tensor_names_.insert(tensor.name).second)
      return fail(in_.error(ErrorCode::malformed, "the tensor " + tensor.name + " stands twice"));
    out_.tensors.push_back(std::move(tensor));
    return {};
  }

  Result<std::uint64_t> alignment() const {
    const auto field = out_.fields.find("general.alignment");
    if (field == out_.fields.end()) return kDefaultAlignment;
    const auto value = field->get<std::uint64_t>();
    if (!std::has_single_bit(value))
      return fail(in_.error(ErrorCode::malformed, "general.alignment is no power of two"));
    return value;
  }

  /// Places count from the first aligned byte behind the names.
  Result<void> place_tensors() {
    SAMEBITS_TRY(const std::uint64_t align, alignment());
    const std::uint64_t data = (in_.position() + align - 1) / align * align;
    std::vector<GgufTensor> placed;
    for (GgufTensor& tensor : out_.tensors) {
      const GgufType* type = find_gguf_type(tensor.type);
      if (type == nullptr) {
        out_.unknown.push_back(fmt::format("{}: type {}", tensor.name, tensor.type));
        continue;
      }
      SAMEBITS_TRY_VOID(place(tensor, *type, data));
      placed.push_back(std::move(tensor));
    }
    out_.tensors = std::move(placed);
    return find_overlaps();
  }

  Result<void> place(GgufTensor& tensor, const GgufType& type, std::uint64_t data) const {
    SAMEBITS_TRY(const std::uint64_t count, element_count(tensor.shape));
    const std::uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % type.elements != 0)
      return fail(in_.error(ErrorCode::malformed,
                            fmt::format("{} has rows of {}, which no blocks of {} ({}) fill",
                                        tensor.name, row, type.elements, type.name)));
    std::uint64_t bytes = 0;
    const bool fits = checked_mul(count / type.elements, type.bytes, &bytes) &&
                      checked_add(tensor.begin, data, &tensor.begin) &&
                      checked_add(tensor.begin, bytes, &tensor.end) && tensor.end <= bytes_.size();
    if (fits) return {};
    Error error = in_.error(ErrorCode::truncated, "the file ends before the end of " + tensor.name);
    error.expected = fmt::format("{} bytes of {}", bytes, type.name);
    error.found = fmt::format("a file of {} bytes", bytes_.size());
    return fail(std::move(error));
  }

  Result<void> find_overlaps() const {
    std::vector<const GgufTensor*> order;
    for (const GgufTensor& tensor : out_.tensors)
      if (tensor.begin < tensor.end) order.push_back(&tensor);
    std::ranges::sort(order, {}, &GgufTensor::begin);
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i]->begin < order[i - 1]->end)
        return fail(in_.error(
            ErrorCode::inconsistent,
            fmt::format("{} and {} lie in one another", order[i - 1]->name, order[i]->name)));
    return {};
  }

  Bytes bytes_;
  ByteReader in_;
  GgufFile out_;
  std::set<std::string> field_names_, tensor_names_;
};

}  // namespace

bool GgufFile::looks_like(Bytes bytes) { return as_text(bytes).starts_with("GGUF"); }

Result<GgufFile> GgufFile::open(Bytes bytes, const std::string& file) {
  return GgufHeaderReader(bytes, file).read();
}

}  // namespace samebits
