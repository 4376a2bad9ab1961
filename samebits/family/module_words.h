// What libraries call the modules of a transformer block that have partners of their own shape:
// by these words it is seen that one holds what belongs to the other.
//
// Sources: transformers 5.24.0, Meta's Llama, Mistral's reference code, diffusers 0.36,
// TransformerLens 2.16, timm 1.0.31, torch 2.13.0 (nn.TransformerEncoderLayer), original GPT-2 and
// BERT checkpoints, OpenAI's Whisper. "w2" is the projection down of Llama, and left out: other
// code calls its second projection up so.
#pragma once

#include <cstdint>
#include <string_view>

namespace samebits::model {

enum class ModuleWord : std::uint8_t {
  none,
  query,
  key,
  value,
  output,           // the projection behind attention
  gate,             // the projection that goes through the activation
  up,               // the one that it is multiplied with
  norm_before,      // of attention, the first of a block
  norm_after,       // the norm of the second half
  norm_of_cross,    // of cross attention
  self_attention,   // of a decoder, which has cross attention too
  cross_attention,  // to what the encoder gives
};

/// What a part of a name between dots says: "wq", "to_q", "query" are ModuleWord::query.
ModuleWord module_word(std::string_view part);

/// Both are known, of one kind (projections of attention, gated perceptron, norms, attention), and
/// not the same.
bool are_rivals(ModuleWord a, ModuleWord b);

}  // namespace samebits::model
