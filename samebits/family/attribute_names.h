// The names that configuration classes give to fields which other classes call otherwise: n_head of
// GPT-2 is num_attention_heads. A config may state such a field under either name.
//
// Source: attribute_map of the configuration classes of transformers 4.57.6 and 5.24.0. Where the
// two disagree about a type there is no row. tests/parity/attribute_names_test.py holds the table
// against both.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace samebits {

struct AttributeName {
  std::string_view alias;  // which such a class reads as `name`
  std::string_view name;   // its own
  std::string_view types;  // model types, separated by blanks
};
std::span<const AttributeName> attribute_name_rows();

/// The name of other classes for a field of this type; "" where it has none.
std::string_view usual_name(std::string_view own, std::string_view model_type);

/// "vision-encoder-decoder" of vision_encoder_decoder, the folder of the class: a model type as a
/// config.json writes it. Types without a hyphen are returned as they are.
std::string usual_type(std::string model_type);

}  // namespace samebits
