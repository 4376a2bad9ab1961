// Writing a conversion's bytes: with progress, and while the input's checksums are taken.
#pragma once

#include <functional>

#include "samebits/base/atomic_write.h"
#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/checkpoint.h"
#include "samebits/container/tensor_blob.h"

namespace samebits {

/// Writes to `file` piece by piece and adds each to `step`; both must outlive it. Work that is to
/// stop (base/stop.h) stops between two pieces.
ByteSink metered_sink(AtomicFile& file, WorkStep& step);

/// What all blobs take together: the size of a step that writes or reads them.
std::uint64_t blob_bytes(const TensorsToWrite& output);

/// Calls write(), and check_records() of the input at the same time. Errors: those of
/// check_records(), and else those of write(). Nothing may get its name before it returns.
Result<void> write_while_checking(const Checkpoint& input, int threads,
                                  const std::function<Result<void>()>& write);

}  // namespace samebits
