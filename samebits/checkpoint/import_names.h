// What the name of something imported tells: whether it can act on the machine, and whether models
// and trainings hold such things as values.
#pragma once

#include <string>
#include <string_view>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// True where `global` ("module.name") can act on the machine: start programs, import, evaluate,
/// open files or sockets. By the top of its module, and a list of built-in functions.
bool can_act(std::string_view global);

/// True where a global node's name leads through attributes ("os.system" of module "torch.hub", as
/// protocol 4 allows) into a module that can act or into Python's own attributes, and where the
/// name is computed while loading.
bool leads_elsewhere(const pickle::Tree& tree, NodeId global);

/// True for Python's standard library, whose classes are known and none of a model's.
bool is_standard_library(std::string_view global);

/// True where checkpoints hold it as a value: types of values, layers, activations, optimizers.
bool is_usual_value(std::string_view global);

/// "torch" of "torch.nn.Linear".
std::string_view top_package(std::string_view global);

}  // namespace samebits
