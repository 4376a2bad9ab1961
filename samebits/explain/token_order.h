// Outputs of a masked autoencoder, whose tokens stand in an order that was drawn.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "samebits/run/vit_forward.h"

namespace samebits {

/// How far the encoder's outputs are apart once both stand in the patches' order; nothing where
/// tokens were removed. Sums over tokens are rounded in the order in which the tokens stand, so
/// that it is rarely 0.
std::optional<double> distance_in_one_order(const VitOutputs& a, const VitOutputs& b);

/// The same where that is what rounding leaves of `apart`, how far they are apart as they stand:
/// then they hold the same tokens in two orders.
std::optional<double> rounding_in_one_order(const VitOutputs& a, const VitOutputs& b, double apart);

/// Where each patch of the first image stands among the tokens.
std::vector<std::uint32_t> places_of_patches(const VitOutputs& outputs);

}  // namespace samebits
