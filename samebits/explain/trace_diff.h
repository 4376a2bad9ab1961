// Two recorded forward passes: where do they part, and what does the difference look like there?
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// A ViT's weights, all of them.
bool is_vit_model(const Subject& subject);
/// What samebits run --trace wrote, or a file of activations under the names of modules.
bool is_recorded_run(const Subject& subject);

/// Whether one of the subjects is a recorded run, which then makes the verdict unknown, `why`.
bool refuse_recorded(Report& report, const std::string& why);

/// Both are recorded runs.
bool are_traces(const Report& report);

/// Every point of A with the same point of B, in execution order; the config with which they ran;
/// findings for what stands in the files: another noise, tokens in another order, values rounded to
/// a narrower type, and a first difference in a linear layer of one row, which is what other
/// addresses of the weights look like. The verdict is different where a point differs, unknown
/// where none does but a point has no partner.
void compare_traces(Report& report, int threads);

}  // namespace samebits
