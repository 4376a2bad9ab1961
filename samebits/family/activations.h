// The functions inside of a block's MLP and behind a pooler, under the names of configs and as
// classes of modules.
//
// Source: activations.py of transformers 4.57.6 and 5.24.0; torch.nn of torch 2.13.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "samebits/family/classes.h"

namespace samebits {

enum class Activation : std::uint8_t { gelu, gelu_tanh, quick_gelu, silu, relu };

struct ActivationName {
  std::string_view name;  // the config's hidden_act
  Activation function;    // names of one function may round otherwise
  bool is_run = true;     // a config with this name is run
  /// Of names that also give the same bits, the one that stands for them; "" for itself.
  std::string_view usual{};
};
/// nullptr for names of other functions.
const ActivationName* find_activation(std::string_view name);
/// The names that are run: "gelu, gelu_new, ... or relu"
std::string run_activation_names();

/// Whether a version of transformers builds a class whose config has this name: its ACT2FN.
bool has_activation(model::Library library, std::string_view name);

/// A module of transformers or torch that has these attributes, and no other function as `act`, is
/// what transformers builds for the name.
struct ActivationClass {
  std::string_view type, name;
  std::string_view act = "";  // its own function
  std::pair<const char*, double> number = {"", 0}, other_number = {"", 0};
};
std::span<const ActivationClass> activation_classes();

/// What a module of this name is in transformers' classes of the family: "LayerNorm" for
/// "layernorm_before"; nullptr where names do not say.
const char* usual_class(std::string_view module);

}  // namespace samebits
