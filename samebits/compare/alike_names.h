// Which names of one list are alike which of another, in work that the lists' lengths bound.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace samebits {

/// Steps that may still be taken in searches whose work could grow with the square of their input.
class WorkBudget {
 public:
  explicit WorkBudget(std::uint64_t steps) : left_(steps) {}
  /// Takes so many, or none where fewer are left.
  bool take(std::uint64_t steps) {
    if (steps > left_) return false;
    left_ -= steps;
    return true;
  }
  void add(std::uint64_t steps) { left_ += steps; }

 private:
  std::uint64_t left_;
};

struct AlikePair {
  std::uint32_t a = 0, b = 0;  // places in the lists
  double affinity = 0;         // see name_affinity.h
};

struct AlikePairs {
  std::vector<AlikePair> pairs;  // the most alike first
  /// False where not every name was held against every other: then those that share their rarest
  /// words were.
  bool complete = true;
};

/// The pairs whose affinity is at least `least`. A step of the budget is one pair.
AlikePairs alike_pairs(const std::vector<std::string_view>& a,
                       const std::vector<std::string_view>& b, double least, WorkBudget* budget);

}  // namespace samebits
