// How runs judge what the files show.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// The finding as the runs leave it. rng.noise and mode.training are proved where a subject
/// differed from itself; config.changed, mode.training and weights.* where the exchange of what
/// they name was needed, and they only contribute where it was not; input.preprocessing is the
/// cause where the two processors made other inputs of the images that were run. What
/// PyTorch's runs proved of a cause counts for the finding of that cause. Requires report.ran.
Finding judged(Finding finding, const Report& report);

/// What runs alone show: tokens in another order (order.tokens), what PyTorch's runs found and no
/// finding about the files says, and a proved cause for each pair whose files gave none.
void find_by_runs(Report& report);

}  // namespace samebits
