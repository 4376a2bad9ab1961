#include "samebits/run/input_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/checkpoint/open.h"

namespace samebits {
namespace {

/// The tensor called `name`, or else the only one of the file.
Result<const StoredTensor*> pick(const Checkpoint& file, const std::string& name) {
  for (const StoredTensor& tensor : file.entries) {
    if (tensor.path == name) return &tensor;
  }
  if (file.entries.size() == 1) return &file.entries[0];
  return fail({.code = ErrorCode::usage,
               .what = "the file has no tensor called " + name,
               .file = file.path,
               .found = fmt::format("{} tensors", file.entries.size())});
}

}  // namespace

Result<InputTensor> read_input_tensor(const std::string& path, const std::string& name) {
  SAMEBITS_TRY(const Checkpoint file, open_checkpoint(path));
  SAMEBITS_TRY(const StoredTensor* tensor, pick(file, name));
  if (tensor->view.dtype() != DType::float32 || !tensor->readable) {
    return fail({.code = ErrorCode::unsupported,
                 .what = "the tensor " + tensor->path + " is no input",
                 .file = file.path,
                 .expected = "float32",
                 .found = std::string(info(tensor->view.dtype()).torch)});
  }
  InputTensor input;
  for (const std::int64_t size : tensor->view.shape())
    input.sizes.push_back(static_cast<std::size_t>(size));
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = tensor->view.row_major_bytes(buffer);
  input.values.resize(tensor->view.numel());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(input.values.data()));
  return input;
}

std::string sizes_text(const std::vector<std::size_t>& sizes) {
  return fmt::format("[{}]", fmt::join(sizes, ", "));
}

}  // namespace samebits
