// The words by which the name of a module says that it stands in front of a model's blocks, or
// behind them.
//
// Sources: the names of the family's classes (tensor_rows.h), and of other vision and language
// models of transformers 5.24.0 and timm 1.0.31. A name says what its author called a module: what
// is made of it is the names themselves, in an order, and no claim about what they compute.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace samebits::model {

/// A part of a name between dots: "embeddings", "patch_embed", "cls_token", "wte".
bool names_embeddings(std::string_view part);
/// "classifier", "lm_head", "heads", "head_dist"; "fc" where it is the first part of its name.
bool names_head(std::string_view part, bool is_first);
/// "layernorm", "ln_f", "pooler": behind the blocks beside which it stands; not "pre_layrnorm".
bool names_end(std::string_view part);
/// "decoder", "decoder_norm".
bool names_decoder(std::string_view part);

/// The layer of a recurrent module whose tensor is called so: 1 of "weight_hh_l1_reverse". Source:
/// torch 2.13.0, nn.RNNBase (RNN, LSTM, GRU), which keeps all layers' tensors in one module.
std::optional<std::int64_t> recurrent_layer(std::string_view leaf);

}  // namespace samebits::model
