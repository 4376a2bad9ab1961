// Which tensors a model of transformers has under several names: an output layer tied to the table
// of embeddings.
//
// Source: transformers 5.24.0, _tied_weights_keys of models/*/modeling_*.py and
// get_expanded_tied_weights_keys() in modeling_utils.py; transformers 4.57.6, the same attribute,
// tie_weights() in modeling_utils.py and tie_word_embeddings in configuration_utils.py (default
// True) and models/*/configuration_*.py. Held against both by tests/parity/ties_test.py. Does not
// hold: encoders inside decoders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "samebits/base/json.h"

namespace samebits::model {

/// Whether a model built from this config.json ties them: what it says, else the default of its
/// class where 4.57.6 and 5.24.0 have the same.
bool ties_word_embeddings(const Json& config);

/// Whether a model built from this config.json has an output layer of its own: what it says, else
/// the default of its class. Code beside the weights may have another one.
bool keeps_heads_apart(const Json& config);

/// Whether a model built from this config.json has one tensor under these names: its class ties
/// them, or shares its one table of embeddings whatever the config says (T5).
bool config_ties(const Json& config, const std::vector<std::string>& names);

/// Whether classes that tie fill `target`, an output layer or a second table, from `source`.
bool is_tied_to(std::string_view target, std::string_view source);

/// Whether classes that tie have one tensor under these two names, whatever stands in front of
/// both: "cls.predictions.decoder.weight" and "bert.embeddings.word_embeddings.weight".
bool are_tied_names(std::string_view one, std::string_view other);

/// Whether they are the names of one tensor in a list of modules of which a class of transformers
/// makes one: "class_embed.0.bias" and "class_embed.1.bias". Blocks of other lists are never one: a
/// block more is another model.
bool are_in_a_tied_list(const std::vector<std::string>& names);

/// The same of several names: each is tied to another, and all of them hang together.
bool are_tied_names(const std::vector<std::string>& names);

}  // namespace samebits::model
