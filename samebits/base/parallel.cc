#include "samebits/base/parallel.h"

#include <algorithm>
#include <cmath>

#include "samebits/base/cpu_limit.h"
#include "samebits/base/thread_pool.h"

namespace samebits {

void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& body) {
  ThreadPool(threads).run(count, body);
}

int available_threads() {
  const int processors = affinity_processors();
  const std::optional<double> allowed = control_group_processors();
  if (!allowed || *allowed >= processors) return processors;
  return std::max(1, static_cast<int>(std::ceil(*allowed)));
}

}  // namespace samebits
