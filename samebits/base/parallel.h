// One loop, spread over a few threads.
#pragma once

#include <cstddef>
#include <functional>

namespace samebits {

/// Calls body(i) once for each i in [0, count), on at most `threads` threads, in no particular
/// order; items are handed out one at a time, so they may differ in size. Returns when all are
/// done. With threads <= 1 or count <= 1 nothing is started; where the system has no more threads,
/// those that there are do it. Results must not depend on the order: write to slot i. Exceptions
/// and the floating-point mode are ThreadPool::run()'s.
void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& body);

/// How many threads to use when the user did not say: the processors that this process may run on,
/// or, where its control groups allow it less time than that, so much, rounded up.
int available_threads();

}  // namespace samebits
