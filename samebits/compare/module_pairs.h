// Which module of one tree is which of another.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Names of one tensor in A and in B.
using NamePairs = std::vector<std::pair<std::string, std::string>>;

struct ModulePairs {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> of_a;  // for each module of A, its partner's index in B, or kNone
  std::vector<std::size_t> of_b;  // the reverse
};

/// "Net" of "train.Net": files of the same code may name its module otherwise.
std::string_view class_name(const ModuleRecord& module);

/// Modules that hold the two sides of a pair of tensors belong together, and so do those around
/// them of one class, the roots, and children of one name of modules that belong together,
/// whatever their classes. Of the rest the k-th of a class belongs to the k-th of it on the other
/// side, where both have as many.
ModulePairs pair_modules(const std::vector<ModuleRecord>& a, const std::vector<ModuleRecord>& b,
                         const NamePairs& tensors);

/// The path without its last name; nothing (npos) for the root is "".
std::string_view parent_path(std::string_view path);

}  // namespace samebits
