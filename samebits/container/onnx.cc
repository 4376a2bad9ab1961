#include "samebits/container/onnx.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

constexpr int kDeepestGraph = 16;

/// TensorProto.DataType.
std::optional<DType> onnx_dtype(std::uint64_t type) {
  switch (type) {
    case 1: return DType::float32;
    case 2: return DType::uint8;
    case 3: return DType::int8;
    case 4: return DType::uint16;
    case 5: return DType::int16;
    case 6: return DType::int32;
    case 7: return DType::int64;
    case 9: return DType::boolean;
    case 10: return DType::float16;
    case 11: return DType::float64;
    case 12: return DType::uint32;
    case 13: return DType::uint64;
    case 14: return DType::complex64;
    case 15: return DType::complex128;
    case 16: return DType::bfloat16;
    case 17: return DType::float8_e4m3fn;
    case 18: return DType::float8_e4m3fnuz;
    case 19: return DType::float8_e5m2;
    case 20: return DType::float8_e5m2fnuz;
    default: return std::nullopt;
  }
}

/// One field of a message.
struct WireField {
  std::uint64_t number = 0;
  int type = 0;              // 0 varint, 1 eight bytes, 2 of a length, 5 four bytes
  std::uint64_t value = 0;   // of a varint
  Bytes bytes;               // of the others
  std::uint64_t offset = 0;  // in the file, of `bytes`
  Bytes whole;               // with its tag
};

/// The fields of a message one after the other.
class WireReader {
 public:
  WireReader(Bytes bytes, std::uint64_t base, const std::string& file)
      : bytes_(bytes), base_(base), file_(file) {}

  bool at_end() const { return at_ == bytes_.size(); }

  Result<WireField> next() {
    const std::size_t begin = at_;
    SAMEBITS_TRY(const std::uint64_t tag, varint());
    WireField field{.number = tag >> 3, .type = static_cast<int>(tag & 7)};
    std::uint64_t length = 0;
    switch (field.type) {
      case 0: {
        SAMEBITS_TRY(field.value, varint());
        break;
      }
      case 1: length = 8; break;
      case 2: {
        SAMEBITS_TRY(length, varint());
        break;
      }
      case 5: length = 4; break;
      default: return fail(wire_error(ErrorCode::malformed, "a field of an unknown wire type"));
    }
    if (length > bytes_.size() - at_)
      return fail(wire_error(ErrorCode::truncated, "a field is longer than what holds it"));
    field.bytes = bytes_.subspan(at_, length);
    field.offset = base_ + at_;
    at_ += length;
    field.whole = bytes_.subspan(begin, at_ - begin);
    return field;
  }

  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70 && at_ < bytes_.size(); shift += 7) {
      const std::uint8_t byte = bytes_[at_++];
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail(wire_error(ErrorCode::truncated, "a number does not end"));
  }

 private:
  Error wire_error(ErrorCode code, std::string what) const {
    return {.code = code,
            .what = "the ONNX model is damaged: " + std::move(what),
            .file = file_,
            .offset = base_ + at_};
  }

  Bytes bytes_;
  std::uint64_t base_;
  const std::string& file_;
  std::size_t at_ = 0;
};

/// The lowest `size` bytes of a varint, 8 at most: there are no wider ones.
void append_little(std::vector<std::uint8_t>& out, std::uint64_t value, std::uint64_t size) {
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(size, 8); ++i)
    out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

class OnnxReader {
 public:
  OnnxReader(Bytes bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  Result<OnnxModel> read() {
    WireReader in(bytes_, 0, file_);
    bool has_graph = false;
    std::string version;
    while (!in.at_end()) {
      SAMEBITS_TRY(const WireField field, in.next());
      if (field.number == 1 && field.type == 0) out_.ir_version = field.value;
      if (field.number == 2) out_.producer = as_text(field.bytes);
      if (field.number == 3) version = as_text(field.bytes);
      if (field.number == 25) ++out_.left_out;
      if (field.number == 8 || field.number == 25) out_.program.push_back(field.whole);
      if (field.number != 7 || field.type != 2) continue;
      has_graph = true;
      SAMEBITS_TRY_VOID(read_graph(field, 0));
    }
    if (!version.empty()) out_.producer += " " + version;
    if (has_graph) return std::move(out_);
    return fail(
        {.code = ErrorCode::malformed, .what = "the ONNX model has no graph", .file = file_});
  }

 private:
  Error too_much(const char* what) const {
    return {
        .code = ErrorCode::limit, .what = std::string("the ONNX model has ") + what, .file = file_};
  }

  Result<void> read_graph(const WireField& graph, int depth) {
    if (depth > kDeepestGraph) return fail(too_much("graphs that lie deep in one another"));
    WireReader in(graph.bytes, graph.offset, file_);
    while (!in.at_end()) {
      SAMEBITS_TRY(const WireField field, in.next());
      if (field.number == 5 && field.type == 2) {
        SAMEBITS_TRY_VOID(read_tensor(field, "", false));
      } else if (field.number == 1 && field.type == 2) {
        SAMEBITS_TRY_VOID(read_node(field, depth));
      } else {
        if (field.number == 15) ++out_.left_out;
        // Names of the graph and of its values differ from export to export as nodes' do: all
        // count.
        out_.program.push_back(field.whole);
      }
    }
    return {};
  }

  Result<void> read_node(const WireField& node, int depth) {
    WireReader in(node.bytes, node.offset, file_);
    std::string output, operation;
    std::vector<WireField> attributes;
    while (!in.at_end()) {
      SAMEBITS_TRY(const WireField field, in.next());
      if (field.number == 2 && output.empty()) output = as_text(field.bytes);
      if (field.number == 4) operation = as_text(field.bytes);
      if (field.number == 5 && field.type == 2)
        attributes.push_back(field);
      else
        out_.program.push_back(field.whole);
    }
    for (const WireField& attribute : attributes)
      SAMEBITS_TRY_VOID(read_attribute(attribute, operation == "Constant" ? output : "", depth));
    return {};
  }

  /// `constant` is the name of what a Constant node gives.
  Result<void> read_attribute(const WireField& attribute, const std::string& constant, int depth) {
    WireReader in(attribute.bytes, attribute.offset, file_);
    while (!in.at_end()) {
      SAMEBITS_TRY(const WireField field, in.next());
      const bool graph = field.type == 2 && (field.number == 6 || field.number == 11);
      if (graph) {
        SAMEBITS_TRY_VOID(read_graph(field, depth + 1));
      } else if (field.number == 5 && field.type == 2 && !constant.empty()) {
        SAMEBITS_TRY_VOID(read_tensor(field, constant, true));
      } else {
        out_.program.push_back(field.whole);
      }
    }
    return {};
  }

  /// What a TensorProto's fields hold, before it is known what they mean together.
  struct RawTensor {
    std::uint64_t type = 0;
    std::vector<WireField> values;  // float_data, int32_data, int64_data, double_data, uint64_data
    std::optional<WireField> raw;
    bool is_external = false;
  };

  Result<void> read_tensor(const WireField& message, const std::string& name, bool is_constant) {
    if (out_.tensors.size() >= kLimits.tree_entries) return fail(too_much("too many tensors"));
    OnnxTensor tensor{.name = name, .is_constant = is_constant};
    RawTensor raw;
    WireReader in(message.bytes, message.offset, file_);
    while (!in.at_end()) {
      SAMEBITS_TRY(const WireField field, in.next());
      switch (field.number) {
        case 1: {
          SAMEBITS_TRY_VOID(add_dimensions(field, tensor.shape));
          break;
        }
        case 2: raw.type = field.value; break;
        case 8:
          if (!is_constant) tensor.name = as_text(field.bytes);
          break;
        case 9: raw.raw = field; break;
        case 13: {
          SAMEBITS_TRY_VOID(read_external(field, tensor));
          break;
        }
        case 14: raw.is_external = field.value == 1; break;
        case 4:
        case 5:
        case 7:
        case 10:
        case 11: raw.values.push_back(field); break;
        default: break;
      }
    }
    SAMEBITS_TRY_VOID(settle(raw, tensor));
    out_.tensors.push_back(std::move(tensor));
    return {};
  }

  Result<void> add_dimensions(const WireField& field, Shape& shape) {
    const auto add = [&](std::uint64_t size) -> Result<void> {
      if (size > static_cast<std::uint64_t>(INT64_MAX) || shape.size() >= kLimits.dimensions)
        return fail({.code = ErrorCode::malformed,
                     .what = "a tensor of the ONNX model has sizes that no tensor has",
                     .file = file_,
                     .offset = field.offset});
      shape.push_back(static_cast<std::int64_t>(size));
      return {};
    };
    if (field.type == 0) return add(field.value);
    WireReader in(field.bytes, field.offset, file_);
    while (!in.at_end()) {
      SAMEBITS_TRY(const std::uint64_t size, in.varint());
      SAMEBITS_TRY_VOID(add(size));
    }
    return {};
  }

  Result<void> read_external(const WireField& entry, OnnxTensor& tensor) {
    WireReader in(entry.bytes, entry.offset, file_);
    std::string key, value;
    while (!in.at_end()) {
      SAMEBITS_TRY(const WireField field, in.next());
      if (field.number == 1) key = as_text(field.bytes);
      if (field.number == 2) value = as_text(field.bytes);
    }
    if (key == "location") tensor.location = value;
    if (key != "offset" && key != "length") return {};
    std::uint64_t number = 0;
    for (const char c : value) {
      if (c < '0' || c > '9' || !checked_mul(number, 10, &number) ||
          !checked_add(number, static_cast<std::uint64_t>(c - '0'), &number))
        return fail({.code = ErrorCode::malformed,
                     .what = "the " + key + " of external data is no number",
                     .file = file_,
                     .offset = entry.offset,
                     .found = value.substr(0, 40)});
    }
    if (key == "offset") tensor.external_offset = number;
    if (key == "length") tensor.external_length = number;
    return {};
  }

  /// Bytes, place or values, by the type.
  Result<void> settle(const RawTensor& raw, OnnxTensor& tensor) const {
    const std::optional<DType> dtype = onnx_dtype(raw.type);
    if (!dtype) {
      tensor.unreadable = fmt::format("values of ONNX's type {} are not read", raw.type);
      return {};
    }
    tensor.dtype = *dtype;
    std::uint64_t bytes = 0;
    SAMEBITS_TRY(const std::uint64_t count, element_count(tensor.shape));
    if (!checked_mul(count, itemsize(*dtype), &bytes)) return fail(too_much("a tensor too large"));
    if (raw.is_external) {
      if (tensor.location.empty())
        tensor.unreadable = "it does not say where its external data are";
      if (tensor.external_length.value_or(bytes) != bytes)
        tensor.unreadable = fmt::format("its external data have {} bytes, and its shape {}",
                                        *tensor.external_length, bytes);
      return {};
    }
    tensor.location.clear();
    if (raw.raw) {
      tensor.bytes = raw.raw->bytes;
      tensor.offset = raw.raw->offset;
    } else {
      SAMEBITS_TRY_VOID(unpack(raw, tensor, bytes));
    }
    const std::uint64_t found =
        tensor.unpacked.empty() ? tensor.bytes.size() : tensor.unpacked.size();
    if (found != bytes)
      tensor.unreadable = fmt::format("it has {} bytes of values, and its shape {}", found, bytes);
    return {};
  }

  /// Values in fields of their own: floats as they are, all narrower types as varints.
  Result<void> unpack(const RawTensor& raw, OnnxTensor& tensor, std::uint64_t most) const {
    for (const WireField& field : raw.values) {
      const bool is_fixed = field.number == 4 || field.number == 10;
      if (is_fixed) {
        tensor.unpacked.insert(tensor.unpacked.end(), field.bytes.begin(), field.bytes.end());
        continue;
      }
      if (field.type == 0) {
        append_little(tensor.unpacked, field.value, itemsize(tensor.dtype));
        continue;
      }
      WireReader in(field.bytes, field.offset, file_);
      while (!in.at_end() && tensor.unpacked.size() < most) {
        SAMEBITS_TRY(const std::uint64_t value, in.varint());
        append_little(tensor.unpacked, value, itemsize(tensor.dtype));
      }
    }
    return {};
  }

  Bytes bytes_;
  const std::string& file_;
  OnnxModel out_;
};

}  // namespace

Result<OnnxModel> read_onnx(Bytes bytes, const std::string& file) {
  return OnnxReader(bytes, file).read();
}

}  // namespace samebits
