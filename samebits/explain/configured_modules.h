// What the modules of a whole-module pickle compute, where the config beside them does not say so:
// of classes that the engine does not run.
//
// A class builds its modules from its config. Its code is not known here, so each attribute that
// moves outputs is held against what the config could have given: a field of its kind, what follows
// from sizes and heads, the tensors' own shapes, or the constants below. Sources: the classes of
// transformers 4.57.6 and 5.24.0, of which tests/parity/configured_modules_test.py holds ten; torch
// 2.13.0.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct LooseAttribute {
  std::string module;     // "model.layers.0.input_layernorm"; "" for the root
  std::string attribute;  // "variance_epsilon"; "" for a hook or a class
  Json found;
  /// The config states values of this kind, and none of them is this one; otherwise nothing tells.
  bool contradicts = false;
  std::string what;  // "its variance_epsilon is 1e-05, and the config says 1e-06"
};

/// In the order of the modules. Nothing where there are none, or the config is no object. Does not
/// see: other classes of libraries in the place of the model's own, and values that the config
/// states for something else of the same kind.
std::vector<LooseAttribute> loose_attributes(const Checkpoint& checkpoint, const Json& config);

}  // namespace samebits
