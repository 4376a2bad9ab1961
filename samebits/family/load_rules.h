// The renamings that the loaders of the libraries know, as data.
//
// Source: transformers 4.57.6 modeling_utils.py (_fix_state_dict_key_on_load,
// _get_key_renaming_mapping); transformers 5.24.0 conversion_mapping.py ("ViTModel",
// "Dinov2Model", "Dinov2WithRegistersModel", "ViTMAEForPreTraining", "legacy"); torchvision
// models/vision_transformer.py (MLPBlock). What the patterns of 5.24.0 mean is said in
// model/loading_rules.h.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "samebits/family/classes.h"

namespace samebits::model {

/// A renaming, or, with `second`, a tensor that is cut in two halves along dimension 0.
struct LoadRule {
  std::string_view pattern;
  std::string_view replacement;
  std::string_view second = {};
};

/// The rules that 5.24.0 applies to a class's file, in order; `legacy` adds those for old layer
/// norms and weight norms, which it applies to every model.
std::vector<LoadRule> rules_of(const ModelClass& model_class, bool legacy);

struct OldName {
  std::string_view old, modern;
};
/// Endings that 4.57.6 renames: layer norm gamma and beta, weight norm g and v.
std::span<const OldName> old_endings_4();
/// Parts of names that torchvision's MLPBlock still takes: linear_1 and linear_2 for 0 and 3.
std::span<const OldName> old_parts_torchvision();

}  // namespace samebits::model
