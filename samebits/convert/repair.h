// samebits check --write: the repair that check found, applied and proved.
#pragma once

#include <string>

#include "samebits/convert/convert.h"
#include "samebits/explain/subjects.h"

namespace samebits {

struct Repaired {
  Converted written;
  std::uint64_t loaded = 0, target_tensors = 0;  // of the written, by the same check
  std::string target;
  std::string outputs;  // a sentence: bit-identical, or why that was not tried
};

struct RepairRequest {
  SubjectOptions subject;
  std::string target;  // as given to --for
  std::string output;
  bool force = false;
  int threads = 1;
};

/// `made` is check's report. Errors: those of convert; usage where there is nothing to repair, or
/// where no repair was found; inconsistent where the written would not load in full or computes
/// something else.
Result<Repaired> write_repair(const RepairRequest& request, const Report& made);

}  // namespace samebits
