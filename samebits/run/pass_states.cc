#include "samebits/run/pass_states.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace samebits {
namespace {

constexpr std::array kMakesTokens = {"cls_token", "distillation_token", "register_tokens",
                                     "positions"};

bool makes_tokens(std::string_view part) {
  return part.starts_with("patches.") ||
         std::ranges::find(kMakesTokens, part) != kMakesTokens.end();
}

}  // namespace

std::size_t stage_count(const VitWeights& weights) {
  const std::size_t encoder = weights.blocks.size() + 2;
  return weights.decoder_pred ? encoder + weights.decoder_blocks.size() + 1 : encoder;
}

std::size_t stage_of(const VitWeights& weights, std::string_view part) {
  if (makes_tokens(part)) return 0;
  std::size_t block = 0;
  const auto [end, error] = std::from_chars(part.begin(), part.end(), block);
  const std::size_t behind_encoder = weights.blocks.size() + 1;
  if (error != std::errc()) {
    const bool is_last = part.starts_with("decoder:norm") || part.starts_with("decoder:pred");
    return is_last ? stage_count(weights) - 1 : behind_encoder;
  }
  const std::string_view rest(end, static_cast<std::size_t>(part.end() - end));
  return rest.starts_with(":decoder:") ? behind_encoder + 1 + block : 1 + block;
}

}  // namespace samebits
