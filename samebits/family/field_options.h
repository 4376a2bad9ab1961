// Options of the command line that say a field of a config: what a bare state dict does not tell,
// and the forward pass needs.
#pragma once

#include <array>
#include <string_view>

namespace samebits {

struct FieldOption {
  std::string_view option;  // "--heads"
  std::string_view field;   // "num_attention_heads"
  std::string_view type;    // what it takes, as help and hints show it
  std::string_view description;
};

inline constexpr std::array kFieldOptions = std::to_array<FieldOption>({
    {"--heads", "num_attention_heads", "N", "attention heads in a block"},
    {"--eps", "layer_norm_eps", "X", "epsilon of the layer norms"},
    {"--act", "hidden_act", "NAME", "activation of the perceptrons: gelu, quick_gelu, ..."},
    {"--image-size", "image_size", "N", "height and width of the images"},
    {"--decoder-heads", "decoder_num_attention_heads", "N",
     "attention heads in a masked autoencoder's decoder"},
    {"--mask-ratio", "mask_ratio", "R", "share of patches that a masked autoencoder leaves out"},
});

/// nullptr where no option says the field.
constexpr const FieldOption* option_of_field(std::string_view field) {
  for (const FieldOption& each : kFieldOptions) {
    if (each.field == field) return &each;
  }
  return nullptr;
}

}  // namespace samebits
