// Two trees of modules held against each other: classes, order, hooks and every attribute.
//
// What tensors hold, modes and the model's config are compared elsewhere.
#pragma once

#include <string>
#include <vector>

#include "samebits/compare/attribute_rows.h"
#include "samebits/compare/module_pairs.h"

namespace samebits {

struct ModuleDifference {
  std::string place;       // the module's path in A, or in B where A has none; "" for the root
  std::string class_path;  // of it
  std::string attribute;   // "eps", "settings.scale"; "" where the module itself is another
  Json a, b;               // as a person reads them; null where a side has none
  AttributeEffect effect = AttributeEffect::unknown;
  bool is_code = false;    // a class, function, hook or order, not a number
  bool comparable = true;  // false: it may be the same; `why` says what stood in the way
  std::string why;         // one clause, or ""
  bool by_name = false;    // of a user's class: its name alone says that it is harmless
};

/// In A's order of modules, then what only B has. `tensors`: names of each tensor in A and in B.
/// `one_library`: false where the two files' library of models has other versions, so that its own
/// classes may be built otherwise.
std::vector<ModuleDifference> compare_modules(const Checkpoint& a, const Checkpoint& b,
                                              const NamePairs& tensors, bool one_library);

}  // namespace samebits
