// Subjects run by PyTorch, where the engine does not cover their class: what
// python/samebits/torch_runs.py says of its runs, as facts of a report.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Makes the runs and gives their document: a safetensors file with the outputs as tensors
/// "A:POINT", "B:POINT", ..., by the labels of the subjects, whose metadata "samebits.torch_runs/2"
/// is a JSON object. Errors: what kept PyTorch from being started.
using TorchRuns = std::function<Result<std::vector<std::uint8_t>>()>;

/// Takes such a document into the report: outputs, the runs that were made, and RunFacts, by which
/// findings are then judged. What could not be run is a gap.
void run_in_torch(Report& report, const TorchRuns& runs, int threads);

/// Whether that can be tried: directories of transformers with safetensors, and files of weights
/// whose tensors all have a partner there.
bool torch_may_run(const Report& report);

}  // namespace samebits
