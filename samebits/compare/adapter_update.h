// The update of one layer that the factors of an adapter make, and whether it is what two weights
// differ by.
//
// Source: peft 0.21 (tuners/lora/layer.py, loha/layer.py, lokr/layer.py, ia3/layer.py),
// get_delta_weight.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// Factors of one layer by peft's names: "lora_A", "hada_w1_a", "lokr_w1", "ia3_l".
using AdapterFactors = std::map<std::string, TensorView>;

struct UpdateFit {
  double scale = 0;       // merged - base is so many times the product of the factors
  double residual = 0;    // largest element of the difference that this leaves unexplained
  double largest = 0;     // largest element of the difference
  bool rounding = false;  // the residual is what rounding of the merged weights leaves
  /// Elements that are, to the bit, the sum rounded to the merged type: where that is a half type.
  std::uint64_t rounded = 0, elements = 0;
};

/// The scale that explains most of merged - base, by least squares; where four rows do not fit, of
/// these alone. LoRA: B A, also transposed; AdaLoRA: B E A; LoHa: the product, element by element,
/// of two such products; LoKr: the Kronecker product of two matrices; IA3: the weight itself, or
/// a bias, times (l - 1). `expected` is the scale that a config gives: it is tried before the one
/// that was fitted, and needed for DoRA, whose rows are brought to the length of its magnitudes,
/// and for merged weights of a half type, in which the rounding hides small updates. Nothing for
/// other factors, shapes that do not fit, factors or weights that are not finite real numbers, or
/// an update of nothing but zeros.
std::optional<UpdateFit> fit_update(const TensorView& base, const TensorView& merged,
                                    const AdapterFactors& factors,
                                    std::optional<double> expected = std::nullopt);

}  // namespace samebits
