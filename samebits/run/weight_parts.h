// The weights of two models part by part: which parts differ, and the same models with parts
// exchanged.
//
// A part is a tensor; of fused ones, query, key and value on their own. Its name is the role of the
// tensor (model/recognize.h), the same in every library: "3:query.weight", "decoder:embed.bias",
// "positions".
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/run/vit_weights.h"

namespace samebits {

/// Parts whose bits differ, in the order in which the pass reads them. Nothing where the two have
/// not the same parts in the same sizes.
std::optional<std::vector<std::string>> differing_parts(VitWeights& a, VitWeights& b);

/// Calls that exchange the parts of these names, and, once more, put them back; both must outlive
/// them. They take no memory and throw nothing. Requires models that differing_parts() could
/// compare.
std::vector<std::function<void()>> exchanges(VitWeights& a, VitWeights& b,
                                             const std::set<std::string>& names);

/// The part that a tensor of this role is: "3:down.weight" is "3:mlp_out.weight".
std::string part_of_role(std::string_view role);

}  // namespace samebits
