// Values of module attributes (module_attributes.h) held against each other.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct ValueDifference {
  std::string path;  // below the attribute: ".scale", "[2]"; "" for the value itself
  Json a, b;         // as a person reads them; null where a side has none
  bool comparable = true;
};

enum class ValueOutcome : std::uint8_t { same, different, unknown };

/// What the two sides need beside the values.
struct ValueSides {
  const Checkpoint& a;
  const Checkpoint& b;
  /// Whether a path of A's tree is that path of B's: of a module, or of a registered tensor.
  std::function<bool(const std::string&, const std::string&)> same_place;
  /// What was found about values that stand in many places, by their numbers.
  mutable std::map<std::pair<std::size_t, std::size_t>, ValueOutcome> shared = {};
};

/// The leaves that differ; of more than 256 the last says only that there are more. Numbers compare
/// as numbers, tensors, arrays and long texts by their bytes. Of a dict the order counts, too: code
/// may go through it. Each side may be nullptr: absent.
std::vector<ValueDifference> compare_values(const Json* a, const Json* b, const ValueSides& sides);

/// 16 and (16, 16): one size in two spellings.
bool is_one_size(const Json& left, const Json& right);

}  // namespace samebits
