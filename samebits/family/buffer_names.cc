#include "samebits/family/buffer_names.h"

#include <algorithm>
#include <array>

namespace samebits {
namespace {

constexpr auto kBuffers = std::to_array<std::string_view>({
    "attn_mask",
    "inv_freq",
    "masked_bias",
    "n_averaged",
    "num_batches_tracked",
    "original_inv_freq",
    "position_ids",
    "relative_position_index",
    "running_mean",
    "running_var",
    "token_type_ids",
});

}  // namespace

bool names_a_buffer(std::string_view name, std::size_t dimensions) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  // GPT-2's mask of what is to come; a bias of parameters has one dimension.
  constexpr std::size_t kOfMask = 4;
  if (last == "bias") return dimensions == kOfMask;
  return std::ranges::find(kBuffers, last) != kBuffers.end();
}

}  // namespace samebits
