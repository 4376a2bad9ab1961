// Which models read the numbers of special tokens in a forward pass. All others take them from
// their config for generate(), and for the row of the embedding that is no token (padding).
//
// Source: every use of these fields in the modeling files of transformers 4.57.6 and 5.24.0.
// tests/parity/token_fields_test.py holds the table against both.
#pragma once

#include <string_view>

namespace samebits {

struct TokenField {
  std::string_view field;   // "eos_token_id"
  std::string_view types;   // model types, separated by blanks
  std::string_view ending;  // only classes whose names end so; "" for all
  std::string_view why;     // one clause
};

/// bos_token_id, eos_token_id, pad_token_id, sep_token_id, decoder_start_token_id.
bool is_token_field(std::string_view field);

/// What a model type does with the field; nullptr where none of its classes reads it.
const TokenField* find_token_reader(std::string_view field, std::string_view model_type);

}  // namespace samebits
