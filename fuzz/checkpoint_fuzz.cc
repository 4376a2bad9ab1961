// Any bytes as a file of weights, from opening to the printed report: no crash, every byte
// accounted for, every element of every tensor inside its file.
#include <cstdint>
#include <vector>

#include "fuzz/memory_file.h"
#include "samebits/checkpoint/open.h"
#include "samebits/explain/inspect.h"
#include "samebits/report/json.h"
#include "samebits/report/terminal.h"
#include "samebits/tensor/digest.h"

namespace {

using samebits::fuzz::require;

constexpr std::uint64_t kReadable = 1 << 20;  // bytes of a tensor that are read here

void check_bytes(const samebits::Checkpoint& checkpoint) {
  std::vector<std::uint64_t> ends(checkpoint.files.size(), 0);
  for (const samebits::ByteRange& range : checkpoint.bytes) {
    require(range.file < ends.size() && range.begin == ends[range.file] && range.begin < range.end);
    ends[range.file] = range.end;
  }
  for (std::size_t i = 0; i < ends.size(); ++i) require(ends[i] == checkpoint.files[i].map->size());
}

void check_tensors(const samebits::Checkpoint& checkpoint) {
  for (const samebits::StoredTensor& tensor : checkpoint.entries) {
    require(tensor.file < checkpoint.files.size());
    if (tensor.readable && tensor.view.nbytes() <= kReadable)
      (void)samebits::fast_digest(tensor.view);
  }
  for (const samebits::Candidate& candidate : checkpoint.candidates) {
    for (const std::uint32_t index : candidate.weights) require(index < checkpoint.entries.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const samebits::fuzz::MemoryFile file({data, size});
  const auto checkpoint = samebits::open_checkpoint(file.path());
  if (checkpoint) {
    check_bytes(*checkpoint);
    check_tensors(*checkpoint);
  } else {
    require(!to_string(checkpoint.error()).empty());
  }
  const samebits::Report report = samebits::inspect(file.path(), {.deep = size < 4096});
  require(!samebits::render_json(report).empty());
  require(!samebits::render_terminal(report, {}).empty());
  return 0;
}
