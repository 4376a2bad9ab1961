#include "samebits/run/weight_parts.h"

#include <cstring>

namespace samebits {
namespace {

bool same_floats(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

struct Match {
  bool comparable, equal;
};

Match match(const std::vector<float>& a, const std::vector<float>& b) {
  return {a.size() == b.size(), same_floats(a, b)};
}

Match match(const NormWeights& a, const NormWeights& b) {
  return {a.gamma.size() == b.gamma.size(),
          same_floats(a.gamma, b.gamma) && same_floats(a.beta, b.beta)};
}

Match match(const LinearWeights& a, const LinearWeights& b) {
  const bool comparable =
      a.matrix.columns() == b.matrix.columns() && a.matrix.depth() == b.matrix.depth();
  return {comparable, comparable && a.matrix.same_bits(b.matrix) && same_floats(a.bias, b.bias)};
}

Match match(const std::optional<LinearWeights>& a, const std::optional<LinearWeights>& b) {
  if (!a || !b) return {a.has_value() == b.has_value(), true};
  return match(*a, *b);
}

/// Calls visit(name, part of a, part of b) for every part of two blocks.
template <class Block, class Visit>
void visit_block(Block& a, Block& b, const std::string& at, Visit& visit) {
  visit(at + "norm1", a.norm1, b.norm1);
  visit(at + "qkv", a.qkv, b.qkv);
  visit(at + "attention_output", a.attention_output, b.attention_output);
  visit(at + "scale1", a.scale1, b.scale1);
  visit(at + "norm2", a.norm2, b.norm2);
  visit(at + "mlp_in", a.mlp_in, b.mlp_in);
  visit(at + "mlp_out", a.mlp_out, b.mlp_out);
  visit(at + "scale2", a.scale2, b.scale2);
}

/// The same for all parts, in the order of the pass. Requires equal numbers of blocks.
template <class Weights, class Visit>
void visit_parts(Weights& a, Weights& b, Visit visit) {
  visit("cls_token", a.class_token, b.class_token);
  visit("distillation_token", a.distillation_token, b.distillation_token);
  visit("register_tokens", a.registers, b.registers);
  visit("positions", a.positions, b.positions);
  visit("patches", a.patches, b.patches);
  for (std::size_t i = 0; i < a.blocks.size(); ++i)
    visit_block(a.blocks[i], b.blocks[i], std::to_string(i) + ":", visit);
  visit("norm", a.norm, b.norm);
  visit("pooler", a.pooler, b.pooler);
  visit("classifier", a.classifier, b.classifier);
  visit("distillation_classifier", a.distillation_classifier, b.distillation_classifier);
  visit("decoder:embed", a.decoder_embed, b.decoder_embed);
  visit("decoder:mask_token", a.mask_token, b.mask_token);
  visit("decoder:positions", a.decoder_positions, b.decoder_positions);
  for (std::size_t i = 0; i < a.decoder_blocks.size(); ++i)
    visit_block(a.decoder_blocks[i], b.decoder_blocks[i], std::to_string(i) + ":decoder:", visit);
  visit("decoder:norm", a.decoder_norm, b.decoder_norm);
  visit("decoder:pred", a.decoder_pred, b.decoder_pred);
}

}  // namespace

std::optional<std::vector<std::string>> differing_parts(const VitWeights& a, const VitWeights& b) {
  if (a.blocks.size() != b.blocks.size() || a.decoder_blocks.size() != b.decoder_blocks.size())
    return std::nullopt;
  bool comparable = true;
  std::vector<std::string> names;
  visit_parts(a, b, [&](const std::string& name, const auto& x, const auto& y) {
    const Match found = match(x, y);
    comparable = comparable && found.comparable;
    if (!found.equal) names.push_back(name);
  });
  if (!comparable) return std::nullopt;
  return names;
}

void swap_parts(VitWeights& a, VitWeights& b, const std::set<std::string>& names) {
  visit_parts(a, b, [&](const std::string& name, auto& x, auto& y) {
    if (names.contains(name)) std::swap(x, y);
  });
}

std::string part_of_role(std::string_view role) {
  for (const std::string_view ending : {".weight", ".bias"}) {
    if (role.ends_with(ending)) role.remove_suffix(ending.size());
  }
  const std::size_t colon = role.rfind(':');
  const std::size_t begin = colon == std::string_view::npos ? 0 : colon + 1;
  const std::string at(role.substr(0, begin));
  const std::string_view name = role.substr(begin);
  if (name == "query" || name == "key" || name == "value") return at + "qkv";
  if (name == "gate" || name == "up" || name == "gate_up") return at + "mlp_in";
  if (name == "down") return at + "mlp_out";
  return at + std::string(name == "cls_classifier" ? "classifier" : name);
}

}  // namespace samebits
