// How much work is worth a thread.
#pragma once

#include <algorithm>
#include <cstddef>

namespace samebits {

/// Of items that take `steps` multiply-adds each, or as long: how many to hand out together
/// (ThreadPool::run()). A piece takes some microseconds with vector instructions, longer than
/// waking a thread costs the one that wakes it.
constexpr std::size_t items_of_a_piece(std::size_t steps) {
  constexpr std::size_t kSteps = std::size_t{1} << 19;
  return std::max<std::size_t>(1, kSteps / std::max<std::size_t>(1, steps));
}

}  // namespace samebits
