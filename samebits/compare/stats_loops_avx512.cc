// AVX-512; see stats_loops.h.
#define SAMEBITS_STATS_WIDTH 64
#include "samebits/compare/stats_loops_body.h"

namespace samebits {

const StatsLoops kAvx512StatsLoops = kLoops;

}  // namespace samebits
#undef SAMEBITS_STATS_WIDTH
