#include "samebits/convert/writing.h"

#include <algorithm>

#include "samebits/base/parallel.h"
#include "samebits/base/stop.h"
#include "samebits/explain/verify.h"

namespace samebits {

ByteSink metered_sink(AtomicFile& file, WorkStep& step) {
  return [&file, &step](Bytes bytes) -> Result<void> {
    constexpr std::size_t kPiece = 8 << 20;
    while (!bytes.empty()) {
      throw_if_stopped(current_stop());
      const Bytes piece = bytes.first(std::min(kPiece, bytes.size()));
      SAMEBITS_TRY_VOID(file.write(piece));
      step.add(piece.size());
      bytes = bytes.subspan(piece.size());
    }
    return {};
  };
}

std::uint64_t blob_bytes(const TensorsToWrite& output) {
  std::uint64_t bytes = 0;
  for (const Blob& blob : output.blobs) bytes += blob.size;
  return bytes;
}

Result<void> write_while_checking(const Checkpoint& input, int threads,
                                  const std::function<Result<void>()>& write) {
  Result<void> sound, written;
  parallel_for(2, threads, [&](std::size_t i) {
    if (i == 0) sound = check_records(input, std::max(1, threads - 1));
    if (i == 1) written = write();
  });
  SAMEBITS_TRY_VOID(sound);
  return written;
}

}  // namespace samebits
