// Values of module attributes (module_attributes.h) held against each other.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct ValueDifference {
  std::string path;  // below the attribute: ".scale", "[2]"; "" for the value itself
  Json a, b;         // as a person reads them; null where a side has none
  bool comparable = true;
};

/// What the two sides need beside the values.
struct ValueSides {
  const Checkpoint& a;
  const Checkpoint& b;
  /// Whether a path of A's tree is that path of B's: of a module, or of a registered tensor.
  std::function<bool(const std::string&, const std::string&)> same_place;
};

/// The leaves that differ, at most 16 of them. Numbers compare as numbers, tensors, arrays and long
/// texts by their bytes. Each side may be nullptr: absent.
std::vector<ValueDifference> compare_values(const Json* a, const Json* b, const ValueSides& sides);

}  // namespace samebits
