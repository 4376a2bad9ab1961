// How runs judge what the files show.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// The finding as the runs leave it. rng.noise and mode.training are proved where a subject
/// differed from itself; config.changed, mode.training and weights.* where the exchange of what
/// they name was needed, and they only contribute where it was not; input.preprocessing is the
/// cause where the two processors made other inputs of the images that were run. Requires
/// report.ran.
Finding judged(Finding finding, const Report& report);

/// What runs alone show: tokens in another order (order.tokens), and a proved cause for each pair
/// whose files gave no finding that names it.
void find_by_runs(Report& report);

}  // namespace samebits
