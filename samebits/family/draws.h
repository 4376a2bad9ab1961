// What draws random numbers in a forward pass, and when: model types that draw in every call, and
// classes of modules that look at their training flag.
//
// Source: torch.nn of torch 2.13, and every use of `training` in the ViT family of transformers
// 4.57.6 and 5.24.0, in timm 1.0's vision_transformer, in torchvision's and in
// facebookresearch/mae.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace samebits {

/// A model type that draws in every forward pass, in eval mode too.
struct Drawing {
  std::string_view model_type;  // "vit_mae"
  std::string_view module;      // that draws: "vit.embeddings"
  std::string_view draws;       // what it calls
  std::string_view argument;    // by which a caller gives the numbers instead
};
/// nullptr for types that do not.
const Drawing* find_drawing(std::string_view model_type);

/// How a class of modules uses its training flag.
enum class FlagUse : std::uint8_t {
  never,
  dropout,     // random where one of its probabilities is above 0
  slope,       // RReLU: random unless the two slopes are equal
  recurrent,   // random with dropout between layers, of which there must be two
  statistics,  // of the batch, unless the class tracks none
  fast_path,   // evaluation may take a fused kernel that rounds otherwise
};
/// Nothing for a class that the table does not know.
std::optional<FlagUse> flag_use(std::string_view class_path);

/// Attributes of modules that hold a probability. Where a class keeps dropout in a child module,
/// the attribute is no number and the child is judged.
std::span<const std::string_view> probability_attributes();

}  // namespace samebits
