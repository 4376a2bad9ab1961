#include "samebits/family/parameter_order.h"

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

#include "samebits/base/error.h"

namespace samebits::model {
namespace {

using Roles = std::span<const std::string_view>;

constexpr std::string_view kBlocks = "blocks";
constexpr std::string_view kDecoderBlocks = "decoder:blocks";

// Of a model, outside its blocks.
constexpr auto kOuter4 = std::to_array<std::string_view>({"cls_token",
                                                          "distillation_token",
                                                          "mask_token",
                                                          "flat_mask_token",
                                                          "register_tokens",
                                                          "positions",
                                                          "patches",
                                                          kBlocks,
                                                          "norm",
                                                          "pooler",
                                                          "classifier",
                                                          "cls_classifier",
                                                          "distillation_classifier",
                                                          "masked_image",
                                                          "decoder:mask_token",
                                                          "decoder:positions",
                                                          "decoder:embed",
                                                          kDecoderBlocks,
                                                          "decoder:norm",
                                                          "decoder:pred"});
constexpr auto kOuter5 = std::to_array<std::string_view>({"cls_token",
                                                          "mask_token",
                                                          "flat_mask_token",
                                                          "positions",
                                                          "distillation_token",
                                                          "register_tokens",
                                                          "patches",
                                                          kBlocks,
                                                          "norm",
                                                          "pooler",
                                                          "classifier",
                                                          "cls_classifier",
                                                          "distillation_classifier",
                                                          "masked_image",
                                                          "decoder:mask_token",
                                                          "decoder:positions",
                                                          "decoder:embed",
                                                          kDecoderBlocks,
                                                          "decoder:norm",
                                                          "decoder:pred"});

// Of a block.
constexpr auto kVitBlock4 = std::to_array<std::string_view>(
    {"query", "key", "value", "attention_output", "mlp_in", "mlp_out", "norm1", "norm2"});
constexpr auto kVitBlock5 = std::to_array<std::string_view>(
    {"query", "key", "value", "attention_output", "norm1", "norm2", "mlp_in", "mlp_out"});
constexpr auto kDinov2Block = std::to_array<std::string_view>(
    {"norm1", "query", "key", "value", "attention_output", "scale1", "norm2", "mlp_in", "mlp_out",
     "gate_up", "gate", "up", "down", "scale2"});

std::size_t place_in(Roles roles, std::string_view role) {
  const auto found = std::ranges::find(roles, role);
  SAMEBITS_CHECK(found != roles.end());
  return static_cast<std::size_t>(found - roles.begin());
}

/// A role without its number, and without ".weight" or ".bias".
struct RoleParts {
  std::string_view name;
  std::size_t block = 0;
  bool in_block = false, decoder = false, bias = false;
};

RoleParts parts_of_role(std::string_view role) {
  RoleParts parts{.name = role};
  const std::size_t colon = role.find(':');
  if (colon != std::string_view::npos && role[0] >= '0' && role[0] <= '9') {
    for (const char digit : role.substr(0, colon))
      parts.block = parts.block * 10 + static_cast<std::size_t>(digit - '0');
    parts.in_block = true;
    parts.name.remove_prefix(colon + 1);
    constexpr std::string_view kDecoderRole = "decoder:";
    parts.decoder = parts.name.starts_with(kDecoderRole);
    if (parts.decoder) parts.name.remove_prefix(kDecoderRole.size());
  }
  parts.bias = parts.name.ends_with(".bias");
  parts.name = parts.name.substr(0, parts.name.find('.'));
  return parts;
}

}  // namespace

std::vector<TensorSpec> in_parameter_order(Library library, const ModelClass& model_class,
                                           std::vector<TensorSpec> tensors) {
  SAMEBITS_CHECK(is_transformers(library));
  const bool four = library == Library::transformers4;
  const Roles outer = four ? Roles(kOuter4) : Roles(kOuter5);
  const Roles block = model_class.naming == Naming::dinov2 ? Roles(kDinov2Block)
                      : four                               ? Roles(kVitBlock4)
                                                           : Roles(kVitBlock5);
  const auto place = [&](const TensorSpec& tensor) {
    const RoleParts parts = parts_of_role(tensor.role);
    const std::string_view stack = parts.decoder ? kDecoderBlocks : kBlocks;
    return std::tuple(place_in(outer, parts.in_block ? stack : parts.name), parts.block,
                      parts.in_block ? place_in(block, parts.name) : 0, parts.bias);
  };
  std::erase_if(tensors, [](const TensorSpec& each) { return each.kind == TensorKind::buffer; });
  std::ranges::stable_sort(tensors, {}, place);
  return tensors;
}

}  // namespace samebits::model
