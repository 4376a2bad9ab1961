#include "samebits/convert/read_back.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/open.h"
#include "samebits/convert/writing.h"

namespace samebits {
namespace {

Error read_back_error(const std::string& path, const std::string& what) {
  return {.code = ErrorCode::inconsistent,
          .what = "what was written does not read back as it should: " + what,
          .file = path,
          .hint = "Nothing was put in place. Is the disk sound, and was the input left alone?"};
}

/// Compares what a blob feeds with the tensor, piece by piece.
Result<bool> is_equal(const Blob& blob, const TensorView& view) {
  std::uint64_t at = 0;
  bool equal = view.nbytes() == blob.size;
  std::vector<std::uint8_t> buffer;
  if (!equal) return false;
  SAMEBITS_TRY_VOID(blob.feed([&](Bytes bytes) -> Result<void> {
    const std::uint64_t size = itemsize(view.dtype());
    SAMEBITS_CHECK(bytes.size() % size == 0 && at + bytes.size() <= view.nbytes());
    const Bytes own = view.row_major_range(at / size, bytes.size() / size, buffer);
    if (!bytes.empty() && std::memcmp(own.data(), bytes.data(), bytes.size()) != 0) equal = false;
    at += bytes.size();
    return {};
  }));
  return equal && at == view.nbytes();
}

/// By name. Names that the file leaves to a tie stand in its metadata.
std::map<std::string, const StoredTensor*> tensors_by_name(const Checkpoint& checkpoint) {
  std::map<std::string, const StoredTensor*> found;
  for (const std::uint32_t index : checkpoint.weights().weights)
    found[checkpoint.entries[index].name] = &checkpoint.entries[index];
  if (!checkpoint.producer.is_object() || !checkpoint.producer.contains("metadata")) return found;
  for (const auto& [name, kept] : checkpoint.producer["metadata"].items()) {
    if (!kept.is_string()) continue;
    const auto tensor = found.find(kept.get<std::string>());
    if (tensor != found.end()) found.try_emplace(name, tensor->second);
  }
  return found;
}

}  // namespace

Result<void> check_read_back(const std::string& path, const TensorsToWrite& wanted, int threads) {
  SAMEBITS_TRY(const Checkpoint written, open_checkpoint(path, {.threads = threads}));
  if (!written.has_weights()) return fail(read_back_error(path, "it holds no weights"));
  const auto found = tensors_by_name(written);
  if (found.size() != wanted.tensors.size())
    return fail(read_back_error(path, "another number of tensors"));
  std::vector<std::optional<Error>> faults(wanted.tensors.size());
  WorkStep step("reading back", blob_bytes(wanted));
  parallel_for(wanted.tensors.size(), threads, [&](std::size_t i) {
    const BlobTensor& tensor = wanted.tensors[i];
    const auto at = found.find(tensor.name);
    const bool alike = at != found.end() && at->second->readable &&
                       at->second->view.dtype() == tensor.dtype &&
                       at->second->view.shape() == tensor.shape;
    if (!alike) {
      faults[i] = read_back_error(path, tensor.name);
      return;
    }
    const Result<bool> equal = is_equal(wanted.blobs[tensor.blob], at->second->view);
    step.add(wanted.blobs[tensor.blob].size);
    if (!equal)
      faults[i] = equal.error();
    else if (!*equal)
      faults[i] = read_back_error(path, tensor.name);
  });
  for (std::optional<Error>& fault : faults)
    if (fault) return fail(*std::move(fault));
  return {};
}

}  // namespace samebits
