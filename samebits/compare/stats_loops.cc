// For any processor; see stats_loops.h.
#define SAMEBITS_STATS_WIDTH 16
#include "samebits/compare/stats_loops_body.h"

namespace samebits {

const StatsLoops kPlainStatsLoops = kLoops;

#if defined(__x86_64__)
bool have_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

const StatsLoops& stats_loops() {
#if defined(__x86_64__)
  if (have_avx512()) return kAvx512StatsLoops;
  if (__builtin_cpu_supports("avx2")) return kAvx2StatsLoops;
#endif
  return kPlainStatsLoops;
}

}  // namespace samebits
#undef SAMEBITS_STATS_WIDTH
