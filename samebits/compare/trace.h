// A recorded forward pass: what its points are, in which order, and which of them belong together.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Points of a trace in execution order, as indexes into checkpoint.entries: the order that
/// samebits wrote down, or else the one in which a ViT's modules run, and behind them what has
/// other names, as it stands in the file.
std::vector<std::uint32_t> trace_points(const Checkpoint& trace);

/// Whether that is the order in which all of its points were computed.
bool has_known_order(const Checkpoint& trace);

struct PointPairs {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> matched;  // in A's order
  std::vector<std::string> only_a, only_b;
};

/// Equal names first; then names that are equal without the model's own prefix ("vit.", "model.")
/// and with transformers 4's encoder.layer as transformers 5's layers, where that is one to one.
PointPairs match_points(const Checkpoint& a, const Checkpoint& b);

}  // namespace samebits
