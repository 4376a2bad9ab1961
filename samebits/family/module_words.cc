#include "samebits/family/module_words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace samebits::model {
namespace {

using Word = std::pair<std::string_view, ModuleWord>;
using enum ModuleWord;

constexpr auto kModuleWords = std::to_array<Word>({
    {"q", query},
    {"query", query},
    {"q_proj", query},
    {"q_lin", query},
    {"q_linear", query},
    {"linear_q", query},
    {"query_proj", query},
    {"fc_q", query},
    {"q_net", query},
    {"to_q", query},
    {"wq", query},
    {"W_Q", query},
    {"k", key},
    {"key", key},
    {"k_proj", key},
    {"k_lin", key},
    {"k_linear", key},
    {"linear_k", key},
    {"key_proj", key},
    {"fc_k", key},
    {"k_net", key},
    {"to_k", key},
    {"wk", key},
    {"W_K", key},
    {"v", value},
    {"value", value},
    {"v_proj", value},
    {"v_lin", value},
    {"v_linear", value},
    {"linear_v", value},
    {"value_proj", value},
    {"fc_v", value},
    {"v_net", value},
    {"to_v", value},
    {"wv", value},
    {"W_V", value},
    {"o", output},
    {"o_proj", output},
    {"out_proj", output},
    {"out_lin", output},
    {"to_out", output},
    {"o_net", output},
    {"wo", output},
    {"W_O", output},
    {"gate", gate},
    {"gate_proj", gate},
    {"w_gate", gate},
    {"w1", gate},
    {"wi_0", gate},
    {"W_gate", gate},
    {"up", up},
    {"up_proj", up},
    {"w_up", up},
    {"w3", up},
    {"wi_1", up},
    {"input_layernorm", norm_before},
    {"layernorm_before", norm_before},
    {"attention_norm", norm_before},
    {"attn_norm", norm_before},
    {"attn_ln", norm_before},
    {"self_attn_layer_norm", norm_before},
    {"layer_norm1", norm_before},
    {"norm1", norm_before},
    {"ln_1", norm_before},
    {"ln1", norm_before},
    {"post_attention_layernorm", norm_after},
    {"layernorm_after", norm_after},
    {"ffn_norm", norm_after},
    {"mlp_norm", norm_after},
    {"mlp_ln", norm_after},
    {"final_layer_norm", norm_after},
    {"layer_norm2", norm_after},
    {"norm2", norm_after},
    {"ln_2", norm_after},
    {"ln2", norm_after},
    {"cross_attn_ln", norm_of_cross},
    {"encoder_attn_layer_norm", norm_of_cross},
    {"attn", self_attention},
    {"self_attn", self_attention},
    {"self_attention", self_attention},
    {"SelfAttention", self_attention},
    {"attn1", self_attention},
    {"cross_attn", cross_attention},
    {"cross_attention", cross_attention},
    {"crossattention", cross_attention},
    {"encoder_attn", cross_attention},
    {"encoder_attention", cross_attention},
    {"EncDecAttention", cross_attention},
    {"attn2", cross_attention},
});

/// Words of one kind have partners among one another.
int kind_of(ModuleWord word) {
  switch (word) {
    case query:
    case key:
    case value:
    case output: return 1;
    case gate:
    case up: return 2;
    case norm_before:
    case norm_after:
    case norm_of_cross: return 3;
    case self_attention:
    case cross_attention: return 4;
    case none: break;
  }
  return 0;
}

}  // namespace

ModuleWord module_word(std::string_view part) {
  const auto row = std::ranges::find(kModuleWords, part, &Word::first);
  return row == kModuleWords.end() ? none : row->second;
}

bool are_rivals(ModuleWord a, ModuleWord b) {
  return a != b && kind_of(a) != 0 && kind_of(a) == kind_of(b);
}

}  // namespace samebits::model
