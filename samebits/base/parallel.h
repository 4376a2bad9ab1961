// One loop, spread over a few threads.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace samebits {

/// Calls body(i) once for each i in [0, count), on at most `threads` threads, in no particular
/// order; items are handed out one at a time, so they may differ in size. Returns when all are
/// done. With threads <= 1 or count <= 1 nothing is started. Where the system gives fewer threads,
/// fewer do the work. An exception of `body` ends the loop early and leaves it when all threads
/// have ended. Results must not depend on the order: write to slot i.
void parallel_for(std::size_t count, int threads, const std::function<void(std::size_t)>& body);

/// At most `count` threads that call work(), which must not throw; fewer where the system gives no
/// more.
std::vector<std::thread> start_threads(std::size_t count, const std::function<void()>& work);

/// How many threads to use when the user did not say: the processors this process may run on.
int available_threads();

}  // namespace samebits
