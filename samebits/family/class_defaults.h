// What a field means that the config of a model type does not state: the defaults of the
// configuration classes, of those fields of which an absent one, a null and a number are three
// things, or whose default is another one from class to class.
//
// Source: configuration classes and _supports_sdpa of transformers 4.57.6 and 5.24.0. Where the two
// disagree there is no row. tests/parity/class_defaults_test.py and attribute_names_test.py hold
// the tables against both.
#pragma once

#include <span>
#include <string_view>

namespace samebits {

struct ClassDefault {
  std::string_view field;
  std::string_view fallback;  // JSON; null is a value: no such token
  std::string_view types;     // model types, separated by blanks
  char version = 0;           // '4' or '5': of that version alone
};
std::span<const ClassDefault> class_default_rows();
/// The part of them that says what layers compute: eps, activations, scales, windows, biases.
std::span<const ClassDefault> field_default_rows();

/// What an absent field means where that is another field's value, times a factor.
struct DerivedDefault {
  std::string_view field;
  std::string_view from;
  int factor;
  std::string_view types;
};
std::span<const DerivedDefault> derived_default_rows();

/// The JSON of what an absent field means; "" where that is not known. `version` is the
/// transformers_version of the config, or "".
std::string_view class_default(std::string_view field, std::string_view model_type,
                               std::string_view version = "");

}  // namespace samebits
