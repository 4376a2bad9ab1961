#include "samebits/container/safetensors_writer.h"

#include "samebits/base/atomic_write.h"
#include "samebits/base/json.h"

namespace samebits {
namespace {

constexpr std::size_t kAlignment = 64;

std::string size_bytes(std::uint64_t size) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(size >> (8 * i) & 0xFF);
  return bytes;
}

Bytes bytes_of_text(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Result<std::string> header_of(const std::string& path, const std::vector<TensorToWrite>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const TensorToWrite& tensor : tensors) {
    if (tensor.name == "__metadata__" || header.contains(tensor.name)) {
      return fail({.code = ErrorCode::inconsistent,
                   .what = "two tensors would be called " + tensor.name,
                   .file = path});
    }
    header[tensor.name] = {{"dtype", std::string(info(tensor.dtype).safetensors)},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + tensor.bytes.size()}}};
    at += tensor.bytes.size();
  }
  std::string text = json_text(header);
  text.resize((8 + text.size() + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  return text;
}

}  // namespace

Result<void> write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  for (const TensorToWrite& tensor : tensors) {
    SAMEBITS_TRY(const std::uint64_t count, element_count(tensor.shape));
    SAMEBITS_CHECK(tensor.bytes.size() == count * itemsize(tensor.dtype) &&
                   !info(tensor.dtype).safetensors.empty());
  }
  SAMEBITS_TRY(const std::string header, header_of(path, tensors, metadata));
  SAMEBITS_TRY(AtomicFile file, AtomicFile::create(path));
  SAMEBITS_TRY_VOID(file.write(bytes_of_text(size_bytes(header.size()))));
  SAMEBITS_TRY_VOID(file.write(bytes_of_text(header)));
  for (const TensorToWrite& tensor : tensors) SAMEBITS_TRY_VOID(file.write(tensor.bytes));
  return file.commit();
}

}  // namespace samebits
