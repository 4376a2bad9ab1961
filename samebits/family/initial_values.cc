#include "samebits/family/initial_values.h"

#include <algorithm>
#include <array>

namespace samebits::model {
namespace {

constexpr std::array kInitialValues = {
    InitialValues{.model_type = "vit",
                  .random_class_token = true,
                  .random_positions = true,
                  .tokens_drawn = true,
                  .tokens_kept = true},
    InitialValues{.model_type = "deit", .tokens_drawn = true},
    // The embeddings' sin-cos table and class token are left out: their function returns at once
    // where the projection is filled, and it is. The decoder's table is made and zeroed.
    InitialValues{.model_type = "vit_mae", .decoder_drawn = true},
    InitialValues{.model_type = "dinov2",
                  .random_positions = true,
                  .tokens_drawn = true,
                  .tokens_kept = true,
                  .blocks_first = true,
                  .layers_twice = true},
    InitialValues{.model_type = "dinov2_with_registers",
                  .random_positions = true,
                  .tokens_drawn = true,
                  .tokens_kept = true,
                  .blocks_first = true,
                  .layers_twice = true},
};

}  // namespace

const InitialValues* initial_values_of(std::string_view model_type) {
  const auto found = std::ranges::find(kInitialValues, model_type, &InitialValues::model_type);
  return found == kInitialValues.end() ? nullptr : &*found;
}

}  // namespace samebits::model
