// What stands in front of the blocks of a pass, so that a pass that begins alike can start behind
// what the two share.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "samebits/run/vit_weights.h"

namespace samebits {

/// The tokens of a whole batch in front of each stage of a pass but the first.
///
/// Stage 0 makes the tokens. The blocks of the encoder follow, one stage each; then what stands
/// behind them, up to the tokens of a decoder; its blocks; and what stands behind those.
struct PassStates {
  std::vector<std::shared_ptr<const std::vector<float>>> before;  // by stage
};

/// The stages of the models of these weights.
std::size_t stage_count(const VitWeights& weights);

/// The stage that reads a part of the weights, by its name (run/weight_parts.h).
std::size_t stage_of(const VitWeights& weights, std::string_view part);

}  // namespace samebits
