// samebits check: what would a loader leave at random values, drop, or silently accept?
#pragma once

#include <string>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/torch_load.h"

namespace samebits {

/// `target` is a built-in ("transformers-4", "timm:VisionTransformer", ...; model/predict_load.h),
/// another checkpoint, or a JSON list of names and shapes
/// ([["fc.weight", [10, 32]], ...], or [{"name": ..., "shape": ...}, ...], or {"fc.weight": [10,
/// 32], ...}). The report's loads: first the way that fits the checkpoint,
/// then the other one, where there is another. For a directory as target, of a class that is known:
/// the models that versions of transformers make of it, that of config.json first, then the names
/// in its files, where these differ. Errors:
/// usage where the target is none of these. What is wrong with the checkpoint goes to the report
/// instead.
Result<Report> check(const SubjectOptions& checkpoint, const std::string& target, int threads);
/// The same of a directory and transformers, where the library itself makes the load.
Result<Report> check(const SubjectOptions& checkpoint, const std::string& target, int threads,
                     const TorchLoad& torch);
/// The same with a target that a program may hold in memory; its key is not asked.
Result<Report> check(const SubjectOptions& checkpoint, const SubjectOptions& target, int threads);

}  // namespace samebits
