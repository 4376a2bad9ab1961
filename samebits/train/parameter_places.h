// Which parameters of a model the numbers in an optimizer's state_dict() stand for.
//
// torch numbers the parameters of an optimizer in the order in which its groups list them, and
// keeps no names unless it was given some. So the lists are tried in which people give a model's
// parameters to an optimizer: all of them, or those that ask for a gradient, in the model's order;
// with norms and biases, biases, vectors, or the head in a second group, before or behind the
// first; and any part of the model whose shapes fit one choice of parameters in the model's order
// alone. Sources: torch/optim/optimizer.py (state_dict) of torch 2.13.0; transformers/trainer.py
// (get_decay_parameter_names) of 5.24.0; timm/optim/_param_groups.py (param_groups_weight_decay).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// A parameter of the model, in the order of the model.
struct ModelParameter {
  std::string name;  // as the module has it
  Shape shape;
  bool fixed = false;  // its class makes it without a gradient
};

/// A parameter as the optimizer lists it.
struct ListedParameter {
  std::string key;             // "3"
  std::string name;            // where the optimizer was given names
  std::optional<Shape> shape;  // of its moments, where it has any
};

using ParameterLists = std::vector<std::vector<ListedParameter>>;  // one for each group

/// For each group, which parameter of the model each of its own is. Errors: unsupported where no
/// list fits, or several do that put a moment elsewhere; inconsistent where a name or a shape is
/// none of the model's.
Result<std::vector<std::vector<std::size_t>>> place_parameters(
    const std::vector<ModelParameter>& model, const ParameterLists& groups);

}  // namespace samebits
