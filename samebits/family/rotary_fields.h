// Under which names transformers 4 reads what 5 writes into rope_parameters, which 4 does not read.
//
// Source: the configuration classes of transformers 4.57.6, none of which reads rope_parameters:
// tests/parity/rotary_fields_test.py loads files of 5.24.0 in 4.57.6. Holds no type whose files
// keep the names of 4 (DINOv3, Fuyu), and none that 4.57.6 has not.
#pragma once

#include <span>
#include <string_view>

namespace samebits {

struct RotaryField {
  std::string_view name;      // a field of the config in 4
  std::string_view layers;    // a member of rope_parameters that holds the key, or ""
  std::string_view key;       // "" of the scaling: all that is neither a base nor a share of heads
  std::string_view fallback;  // JSON: what the class of 4 takes where the config does not state it
  std::string_view types;     // model types, separated by blanks
};
std::span<const RotaryField> rotary_field_rows();

}  // namespace samebits
