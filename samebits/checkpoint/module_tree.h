// nn.Module objects in a pickle: the tree of modules with class, mode, hyper-parameters and what
// they register.
//
// Source: torch/nn/modules/module.py (`__setstate__`, `state_dict`, `named_modules`) of torch 0.4
// to 2.13.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// True where the node is an object with an nn.Module's state (`_parameters` and `_modules`).
bool is_module(const pickle::Tree& tree, NodeId node);

/// A tensor that a module registers, in state_dict()'s order.
struct RegisteredTensor {
  std::string name;  // "vit.layernorm.weight"
  NodeId node;
  TensorRole role;  // parameter, buffer, transient
};

struct ModuleTree {
  std::vector<ModuleRecord>
      modules;  // the root first, as named_modules(remove_duplicate=False) goes
  std::vector<NodeId> module_nodes;  // parallel to modules
  std::vector<RegisteredTensor> tensors;
  bool complete = true;  // false: a limit stopped the walk
};

/// Requires is_module(root). Modules that stand twice are listed twice, as state_dict() does; a
/// module that contains itself is cut.
ModuleTree read_module_tree(const pickle::Tree& tree, NodeId root);

/// "TransformerModel(model=ViTMAEForPreTraining)": the root's class and its children's, at most
/// three of them.
std::string describe_module(const ModuleTree& modules);

}  // namespace samebits
