#include "samebits/checkpoint/gguf_files.h"

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/container/gguf.h"
#include "samebits/container/gguf_blocks.h"

namespace samebits {
namespace {

class GgufReading {
 public:
  GgufReading(Checkpoint& checkpoint, std::uint32_t file)
      : out_(checkpoint), file_(file), bytes_(checkpoint.files[file].map->bytes()) {}

  Result<void> add(const GgufTensor& tensor) {
    const GgufType& type = *find_gguf_type(tensor.type);
    StoredTensor stored;
    stored.path = tensor.name;
    stored.role = TensorRole::weight;
    stored.file = file_;
    stored.offset = tensor.begin;
    stored.storage = next_storage_id(out_);
    stored.storage_bytes = tensor.end - tensor.begin;
    const DType dtype = type.plain.value_or(DType::float32);
    Bytes values = bytes_.subspan(tensor.begin, tensor.end - tensor.begin);
    if (!type.plain) {
      stored.blocks = type.name;
      stored.note = fmt::format("{} blocks, read as float32", type.name);
      const Result<Bytes> read = dequantize(type, values, tensor.name);
      if (!read) return add_unreadable(std::move(stored), tensor, read.error());
      values = *read;
      use_bytes(out_, file_, tensor.begin, tensor.end, ByteUse::weights);
    }
    SAMEBITS_TRY(stored.view, TensorView::make(dtype, tensor.shape,
                                               contiguous_strides(tensor.shape), 0, values));
    out_.entries.push_back(std::move(stored));
    return {};
  }

 private:
  Result<void> add_unreadable(StoredTensor stored, const GgufTensor& tensor, Error why) {
    SAMEBITS_TRY(stored.view, TensorView::valueless(DType::float32, tensor.shape));
    stored.readable = false;
    stored.absent = true;
    use_bytes(out_, file_, tensor.begin, tensor.end, ByteUse::weights);
    out_.unread.push_back(std::move(why));
    out_.entries.push_back(std::move(stored));
    return {};
  }

  Error cannot_read(const std::string& name, ErrorCode code, std::string what) const {
    return {.code = code,
            .what = name + ": " + std::move(what),
            .file = out_.files[file_].path,
            .hint = "Compare a file of F32, F16 or BF16 instead, which llama.cpp makes too"};
  }

  Result<Bytes> dequantize(const GgufType& type, Bytes blocks, const std::string& name) {
    if (type.dequantize == nullptr)
      return fail(cannot_read(name, ErrorCode::unsupported,
                              fmt::format("blocks of {} are not read", type.name)));
    const std::uint64_t count = blocks.size() / type.bytes;
    const std::uint64_t bytes = count * type.elements * sizeof(float);
    if (bytes > kLimits.dequantized_bytes - dequantized_)
      return fail(cannot_read(name, ErrorCode::limit,
                              fmt::format("as float32 its blocks, with those before them, take "
                                          "more than {} bytes",
                                          kLimits.dequantized_bytes)));
    dequantized_ += bytes;
    auto owned = std::make_shared<std::vector<std::uint8_t>>(bytes);
    auto* values = reinterpret_cast<float*>(owned->data());
    for (std::uint64_t i = 0; i < count; ++i)
      type.dequantize(blocks.data() + i * type.bytes, values + i * type.elements);
    out_.owned.push_back(owned);
    return Bytes(*owned);
  }

  Checkpoint& out_;
  std::uint32_t file_;
  Bytes bytes_;
  std::uint64_t dequantized_ = 0;
};

}  // namespace

Result<void> read_gguf(Checkpoint& checkpoint, std::uint32_t file, const std::string& key) {
  checkpoint.kind = CheckpointKind::gguf;
  checkpoint.files[file].container = "gguf";
  const SourceFile source = checkpoint.files[file];
  SAMEBITS_TRY(GgufFile header, GgufFile::open(source.map->bytes(), source.path));
  if (header.tensors.empty() && header.unknown.empty())
    return fail({.code = ErrorCode::unsupported,
                 .what = "this GGUF file holds no tensors",
                 .file = source.path,
                 .hint = "Some hold a vocabulary alone; name the file of weights"});
  use_bytes(checkpoint, file, 0, header.header_bytes, ByteUse::structure);
  if (!header.fields.empty()) checkpoint.producer["metadata"] = std::move(header.fields);
  for (const std::string& name : header.unknown)
    checkpoint.unread.push_back(
        {.code = ErrorCode::unsupported,
         .what = "a tensor of a type that gguf 0.19.0 does not know: " + name,
         .file = source.path});
  GgufReading reading(checkpoint, file);
  for (const GgufTensor& tensor : header.tensors) SAMEBITS_TRY_VOID(reading.add(tensor));
  Candidate all;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) all.weights.push_back(i);
  if (!all.weights.empty()) checkpoint.candidates.push_back(std::move(all));
  return choose_weights(checkpoint, key);
}

}  // namespace samebits
