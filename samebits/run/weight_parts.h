// The weights of two models part by part: which parts differ, and the same models with parts
// exchanged.
//
// A part is what the forward pass reads as one: a layer's matrix with its bias (query, key and
// value together), a norm, a token. Its name is the role of its tensors (model/recognize.h) without
// ".weight" and ".bias": "3:attention_output", "3:qkv", "decoder:embed", "positions".
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/run/vit_weights.h"

namespace samebits {

/// Parts whose bits differ, in the order in which the pass reads them. Nothing where the two have
/// not the same parts in the same sizes.
std::optional<std::vector<std::string>> differing_parts(const VitWeights& a, const VitWeights& b);

/// Exchanges the parts of these names. Requires models that differing_parts() could compare.
void swap_parts(VitWeights& a, VitWeights& b, const std::set<std::string>& names);

/// The part that a tensor of this role belongs to: "3:query.weight" is of "3:qkv".
std::string part_of_role(std::string_view role);

}  // namespace samebits
