// samebits lock and samebits verify: a model's identity as a file, and whether this is still it.
#pragma once

#include <string>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"
#include "samebits/lock/lock.h"

namespace samebits {

/// Errors: what could not be read of the checkpoint; usage where it holds no weights.
Result<void> check_read(const Checkpoint& checkpoint);

/// Reads the weights. Errors: inconsistent where a checksum of their records does not hold.
Result<void> check_records(const Checkpoint& checkpoint, int threads);

/// Both.
Result<void> check_whole(const Checkpoint& checkpoint, int threads);

/// Reads every byte. Errors: those of open_checkpoint, check_whole() and make_lock.
Result<Lock> lock_of(const SubjectOptions& subject, LockAlgorithm algorithm, int threads);

/// What stands in a checkpoint and no lock covers, in words; "" where there is nothing.
std::string not_locked(const Checkpoint& checkpoint);

/// Verdict as of diff. A is the checkpoint, B the lock. What one of the two does not hold stands in
/// not_checked.
Report verify(const SubjectOptions& subject, const std::string& lock_path, int threads);

}  // namespace samebits
