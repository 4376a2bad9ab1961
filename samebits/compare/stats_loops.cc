// For any processor; see stats_loops.h.
#define SAMEBITS_STATS_WIDTH 16
#include "samebits/compare/stats_loops_body.h"

namespace samebits {

const StatsLoops kPlainStatsLoops = kLoops;

const StatsLoops& stats_loops() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return kAvx2StatsLoops;
#endif
  return kPlainStatsLoops;
}

}  // namespace samebits
#undef SAMEBITS_STATS_WIDTH
