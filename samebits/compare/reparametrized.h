// Weights that a file holds as factors, from which torch computes them in every forward pass.
//
// Source: torch 2.13.0: nn/utils/weight_norm.py (NAME_g, NAME_v), nn/utils/spectral_norm.py
// (NAME_orig, NAME_u, NAME_v), nn/utils/prune.py (NAME_orig, NAME_mask), nn/utils/parametrize.py
// and parametrizations.py (parametrizations.NAME.original, .original0, .original1, .0._u, .0._v).
// Does not do: other parametrizations, whose code computes anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/compare/weight_set.h"

namespace samebits {

enum class Factoring : std::uint8_t { weight_norm, spectral_norm, pruning, other };
const char* factoring_name(Factoring factoring);  // "weight norm", "a parametrization"

struct FactoredWeight {
  std::string name;  // "0.weight", which no tensor of the file has
  Factoring factoring = Factoring::other;
  /// Weight norm: magnitudes and directions; spectral norm: the matrix and its two vectors;
  /// pruning: the matrix and its mask.
  std::vector<std::string> factors;
};

/// "weight_v", "parametrizations.weight.original": a factor by its name.
bool is_factor_name(std::string_view name);

/// In the order of their first factors in the set.
std::vector<FactoredWeight> factored_weights(const WeightSet& set);

/// The largest distance of an element of `weight` from what the factors give in double precision,
/// over the largest element; nothing where the shapes do not fit, the code is not known, a tensor
/// cannot be read or has more than 2^24 elements.
std::optional<double> distance_from_factors(const TensorView& weight,
                                            const FactoredWeight& factored, const WeightSet& set);

}  // namespace samebits
