// How much work is worth a thread.
#pragma once

#include <algorithm>
#include <cstddef>

namespace samebits {

/// Of items that take `steps` multiply-adds each, or as long: how many to hand out together
/// (ThreadPool::run()). A piece takes 20 to 40 microseconds with vector instructions: less is not
/// worth waking a thread for, which on a busy machine comes when all is done, and still costs the
/// one that woke it some.
constexpr std::size_t items_of_a_piece(std::size_t steps) {
  constexpr std::size_t kSteps = std::size_t{1} << 21;
  return std::max<std::size_t>(1, kSteps / std::max<std::size_t>(1, steps));
}

}  // namespace samebits
