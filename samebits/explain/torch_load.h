// A directory loaded by the transformers that is installed: what python/samebits/torch_load.py says
// of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/model/predict_load.h"
#include "samebits/model/recognize.h"

namespace samebits {

/// Makes the load and gives its document, a JSON object. Errors: what kept Python from being
/// started.
using TorchLoad = std::function<Result<std::vector<std::uint8_t>>()>;

/// What that load left random, dropped and refused, with the renaming of `tensors`, those of the
/// files, that fills the rest. Errors: unsupported, where the library could not load the directory
/// at all, with its words; malformed, where the answer is no such document; those of `run`.
Result<LoadReport> load_in_torch(const TorchLoad& run,
                                 const std::vector<model::StoredShape>& tensors);

}  // namespace samebits
