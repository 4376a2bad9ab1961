// How the loaders of transformers apply their rules (family/load_rules.h) to the names in a file.
//
// Source: transformers 5.24.0 core_model_loading.py (WeightTransform, rename_source_key,
// revert_weight_conversion).
//
// What 5.24.0's patterns mean: a dot is any character unless escaped; "^" anchors at the start and
// nothing else is anchored; a pattern that ends in a letter or digit must not be followed by a word
// character; the FIRST occurrence of the matched text is replaced. Saving runs the same rules
// backwards, last rule first, with the targets as patterns. That is why ViT-MAE's decoder is
// written as "decoder.decoder_encoder.layer.N...": "layers." also occurs in "decoder_layers.".
// The sub-model scope that 5.24.0 keeps with each rule changes nothing for these patterns.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/family/load_rules.h"

namespace samebits::model {

/// The renamed name, or nothing where the pattern does not match. `replacement` is plain text.
std::optional<std::string> rewrite(std::string_view pattern, std::string_view replacement,
                                   std::string_view name);

/// A name as a loader sees it: several where the tensor is cut, in the order of the pieces.
using ReadName = std::vector<std::string>;

/// What `from_pretrained` of 5.24.0 makes of a name, the base model's prefix added or removed as
/// the class needs it. `known` says whether the class's state_dict() has a name.
ReadName read_name_5(const ModelClass& model_class, std::string_view name,
                     const std::function<bool(const std::string&)>& known);

/// The name under which `save_pretrained` of 5.24.0 writes a tensor of a model that it has just
/// built (one loaded from a file is saved by the rules that its loading used).
std::string saved_name_5(const ModelClass& model_class, std::string_view name);

/// 4.57.6's renaming of old names: layer norm gamma and beta, weight norm g and v.
std::string modern_name_4(std::string_view name);

}  // namespace samebits::model
