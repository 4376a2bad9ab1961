#include "samebits/explain/attention_reach.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

namespace samebits {
namespace {

/// A module inside a block, by the end of its name, and the points of the block that are its input.
struct ModuleInput {
  std::string_view module;
  std::string_view inputs[2];
};
constexpr ModuleInput kInputs[] = {
    {"attention.q_proj", {"layernorm_before", "norm1"}},
    {"attention.k_proj", {"layernorm_before", "norm1"}},
    {"attention.v_proj", {"layernorm_before", "norm1"}},
    {"attention.attention.query", {"layernorm_before", "norm1"}},
    {"attention.attention.key", {"layernorm_before", "norm1"}},
    {"attention.attention.value", {"layernorm_before", "norm1"}},
    {"attn.qkv", {"norm1", "layernorm_before"}},
    {"mlp.fc1", {"layernorm_after", "norm2"}},
    {"intermediate.dense", {"layernorm_after", "norm2"}},
    {"mlp.activation_fn", {"mlp.fc1", ""}},
    {"intermediate.intermediate_act_fn", {"intermediate.dense", ""}},
    {"mlp.fc2", {"mlp.activation_fn", "mlp.act"}},
};
constexpr std::string_view kFirstInBlock[] = {"layernorm_before", "norm1"};

bool is_recorded(std::span<const OutputPair> equal, std::string_view end) {
  return std::ranges::any_of(
      equal, [&](const OutputPair& each) { return std::string_view(each.point) == end; });
}

/// The block's name with the number one less: "vit.layers.2" of "vit.layers.3"; "" of the first.
std::string block_before(std::string_view block) {
  const std::size_t dot = block.rfind('.');
  if (dot == block.npos) return "";
  const std::string_view digits = block.substr(dot + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 1) return "";
  return std::string(block.substr(0, dot + 1)) + std::to_string(number - 1);
}

}  // namespace

bool attention_reaches(std::span<const OutputPair> outputs, std::size_t parting) {
  const std::string_view point = outputs[parting].point;
  const std::span<const OutputPair> equal = outputs.first(parting);
  if (point.find("embeddings") != point.npos || point.find("patch_embed") != point.npos)
    return false;
  for (const std::string_view first : kFirstInBlock) {
    if (!point.ends_with(first) || point.size() <= first.size()) continue;
    const std::string_view block = point.substr(0, point.size() - first.size() - 1);
    const std::string before = block_before(block);
    return !(before.empty() ? block.ends_with(".0") : is_recorded(equal, before));
  }
  for (const ModuleInput& row : kInputs) {
    if (!point.ends_with(row.module)) continue;
    const std::string block(point.substr(0, point.size() - row.module.size()));
    return std::ranges::none_of(row.inputs, [&](std::string_view input) {
      return !input.empty() && is_recorded(equal, block + std::string(input));
    });
  }
  return true;
}

}  // namespace samebits
