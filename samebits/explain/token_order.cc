#include "samebits/explain/token_order.h"

#include <algorithm>
#include <cmath>

namespace samebits {
namespace {

constexpr const char* kEncoderOutput = "last_hidden_state";

/// Rounding is a millionth of the difference that the other order makes, or less.
constexpr double kRoundingShare = 1e-5;

}  // namespace

std::optional<double> distance_in_one_order(const VitOutputs& a, const VitOutputs& b) {
  const std::vector<std::size_t>& shape = a.at(kEncoderOutput).shape;
  const std::vector<float>& restore_a = a.at("ids_restore").values;
  const std::vector<float>& restore_b = b.at("ids_restore").values;
  const std::size_t patches = restore_a.size() / shape[0];
  if (shape != b.at(kEncoderOutput).shape || shape[1] != 1 + patches) return std::nullopt;
  double largest = 0;
  for (std::size_t i = 0; i < restore_a.size(); ++i) {
    const std::size_t image = i / patches * shape[1];
    const std::size_t row_a = (image + 1 + static_cast<std::size_t>(restore_a[i])) * shape[2];
    const std::size_t row_b = (image + 1 + static_cast<std::size_t>(restore_b[i])) * shape[2];
    for (std::size_t d = 0; d < shape[2]; ++d)
      largest = std::max(largest, std::fabs(double{a.at(kEncoderOutput).values[row_a + d]} -
                                            double{b.at(kEncoderOutput).values[row_b + d]}));
  }
  return largest;
}

std::optional<double> rounding_in_one_order(const VitOutputs& a, const VitOutputs& b,
                                            double apart) {
  const auto rest = distance_in_one_order(a, b);
  return rest && *rest <= kRoundingShare * apart ? rest : std::nullopt;
}

std::vector<std::uint32_t> places_of_patches(const VitOutputs& outputs) {
  const NamedArray& restore = outputs.at("ids_restore");
  std::vector<std::uint32_t> places;
  for (std::size_t patch = 0; patch < restore.shape[1]; ++patch)
    places.push_back(static_cast<std::uint32_t>(restore.values[patch]));
  return places;
}

}  // namespace samebits
