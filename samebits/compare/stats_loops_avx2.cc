// AVX2; see stats_loops.h.
#define SAMEBITS_STATS_WIDTH 32
#include "samebits/compare/stats_loops_body.h"

namespace samebits {

const StatsLoops kAvx2StatsLoops = kLoops;

}  // namespace samebits
#undef SAMEBITS_STATS_WIDTH
