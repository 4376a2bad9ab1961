#include "samebits/checkpoint/onnx_files.h"

#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/foreign_files.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/container/onnx.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

class OnnxFileReader {
 public:
  OnnxFileReader(Checkpoint& checkpoint, std::uint32_t file) : out_(checkpoint), file_(file) {}

  Result<void> read(const std::string& key) {
    out_.kind = CheckpointKind::onnx;
    out_.files[file_].container = "onnx";
    const SourceFile source = out_.files[file_];
    use_bytes(out_, file_, 0, source.map->size(), ByteUse::structure);
    SAMEBITS_TRY(OnnxModel model, read_onnx(source.map->bytes(), source.path));
    out_.producer["onnx"] = fmt::format("IR version {}", model.ir_version);
    if (!model.producer.empty()) out_.producer["producer"] = printable(model.producer);
    if (model.left_out > 0)
      out_.unread.push_back({.code = ErrorCode::unsupported,
                             .what = fmt::format("{} functions or sparse initializers of the ONNX "
                                                 "model are not read",
                                                 model.left_out),
                             .file = source.path});
    out_.graph = GraphFacts{.what = "ONNX graph", .digest = digest_of_parts(model.program)};
    Candidate all;
    for (OnnxTensor& tensor : model.tensors) {
      const bool is_weight = !tensor.is_constant;
      SAMEBITS_TRY_VOID(add(std::move(tensor)));
      if (is_weight) all.weights.push_back(static_cast<std::uint32_t>(out_.entries.size() - 1));
    }
    if (!all.weights.empty()) out_.candidates.push_back(std::move(all));
    return choose_weights(out_, key);
  }

 private:
  static std::string printable(const std::string& text) {
    std::string out;
    for (const char c : text.substr(0, 100))
      if (c >= ' ' && c <= '~') out += c;
    return out;
  }

  static std::string digest_of_parts(const std::vector<Bytes>& parts) {
    std::vector<std::uint8_t> joined;
    for (const Bytes part : parts) joined.insert(joined.end(), part.begin(), part.end());
    return sha256_hex(joined);
  }

  Result<void> add(OnnxTensor tensor) {
    StoredTensor stored;
    stored.path = tensor.name;
    stored.role = tensor.is_constant ? TensorRole::other : TensorRole::weight;
    stored.file = file_;
    stored.offset = tensor.offset;
    stored.storage = next_storage_id(out_);
    Bytes bytes = tensor.bytes;
    if (!tensor.unpacked.empty()) {
      out_.owned.push_back(std::make_shared<std::vector<std::uint8_t>>(std::move(tensor.unpacked)));
      bytes = *out_.owned.back();
      stored.offset = 0;
    }
    if (tensor.unreadable.empty() && !tensor.location.empty()) {
      const Result<Bytes> external = external_bytes(tensor, &stored);
      if (external) {
        bytes = *external;
      } else {
        tensor.unreadable = "?";
        out_.unread.push_back(external.error());
      }
    } else if (!tensor.unreadable.empty()) {
      out_.unread.push_back({.code = ErrorCode::inconsistent,
                             .what = tensor.name + ": " + tensor.unreadable,
                             .file = out_.files[file_].path});
    }
    if (tensor.unreadable.empty()) SAMEBITS_TRY_VOID(bound_described(bytes.size()));
    if (!tensor.unreadable.empty()) {
      stored.readable = false;
      stored.absent = true;
      SAMEBITS_TRY(stored.view, TensorView::valueless(tensor.dtype, tensor.shape));
    } else {
      stored.storage_bytes = bytes.size();
      SAMEBITS_TRY(stored.view, TensorView::make(tensor.dtype, tensor.shape,
                                                 contiguous_strides(tensor.shape), 0, bytes));
    }
    out_.entries.push_back(std::move(stored));
    return {};
  }

  /// Tensors may name the same external bytes again and again.
  Result<void> bound_described(std::uint64_t bytes) {
    described_ += bytes;
    std::uint64_t held = 0;
    for (const SourceFile& file : out_.files) held += file.map->size();
    if (described_ <= kLimits.described_bytes + kLimits.described_factor * held) return {};
    return fail({.code = ErrorCode::limit,
                 .what = "the tensors describe more than the files hold",
                 .file = out_.files[file_].path});
  }

  /// In the directory of the model; onnx refuses a location that leads out of it.
  Result<Bytes> external_bytes(const OnnxTensor& tensor, StoredTensor* stored) {
    const std::string& location = tensor.location;
    if (location[0] == '/' || location.find("..") != std::string::npos ||
        location.find('\0') != std::string::npos || location.find('\\') != std::string::npos)
      return fail({.code = ErrorCode::malformed,
                   .what = tensor.name + ": its external data lie outside of the directory",
                   .file = out_.files[file_].path});
    SAMEBITS_TRY(const std::uint32_t file, open_data(location));
    const Bytes all = out_.files[file].map->bytes();
    SAMEBITS_TRY(const std::uint64_t count, element_count(tensor.shape));
    const std::uint64_t length = count * itemsize(tensor.dtype);  // read_onnx() looked at it
    if (tensor.external_offset > all.size() || length > all.size() - tensor.external_offset)
      return fail({.code = ErrorCode::truncated,
                   .what = "the file ends before the data of " + tensor.name,
                   .file = out_.files[file].path,
                   .offset = tensor.external_offset,
                   .expected = fmt::format("{} bytes", length),
                   .found = fmt::format("a file of {} bytes", all.size())});
    stored->file = file;
    stored->offset = tensor.external_offset;
    return all.subspan(tensor.external_offset, length);
  }

  Result<std::uint32_t> open_data(const std::string& location) {
    if (const auto known = data_.find(location); known != data_.end()) return known->second;
    const auto path = std::filesystem::path(out_.files[file_].path).parent_path() / location;
    SAMEBITS_TRY(auto map, MappedFile::open(path.string()));
    out_.files.push_back({path.string(), "onnx-data", std::move(map)});
    return data_[location] = static_cast<std::uint32_t>(out_.files.size() - 1);
  }

  Checkpoint& out_;
  std::uint32_t file_;
  std::map<std::string, std::uint32_t> data_;
  std::uint64_t described_ = 0;
};

}  // namespace

bool is_onnx_model(Bytes bytes) {
  const std::optional<ForeignFile> foreign = find_foreign(bytes);
  return foreign && foreign->what == "an ONNX model";
}

Result<void> read_onnx_file(Checkpoint& checkpoint, std::uint32_t file, const std::string& key) {
  return OnnxFileReader(checkpoint, file).read(key);
}

}  // namespace samebits
