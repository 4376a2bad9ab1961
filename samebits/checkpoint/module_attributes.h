// The attributes of nn.Modules as inert values that can be held against another file's.
//
// Source: torch/nn/modules/module.py of torch 2.13. What a module registers (parameters, buffers,
// modules) and its mode stand elsewhere and are left out here, and so is what torch keeps of hooks
// that act in training, loading or saving only.
//
// None, booleans, numbers and short texts are JSON's own; lists and tuples are arrays; dicts are
// objects, or {"$pairs": [[key, value]]} where a key is no text. All else is an object
// whose first key begins with '$':
//   {"$name": "torch.nn.functional.relu"}         a class or function
//   {"$class": "my.Class", "$args": [], ...}      an object, with its attributes under their names
//   {"$is": "tensor float32 [3]", "$data": 4}     bytes, long texts and tensors: the number counts
//                                                 Checkpoint::attribute_data; none where there are
//                                                 no values
//   {"$registered": "net.weight"}, {"$module": "net"}   what the tree itself holds, by its path
//   {"$config": {...}}                            a config of transformers other than the model's
//   {"$shared": 3}                                a large value that stands in many places, by its
//                                                 number in Checkpoint::attribute_shared
//   {"$cycle": 2}                                 the object so many levels above
//   {"$opaque": "why"}                            what cannot be compared
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/torch_storage.h"

namespace samebits {

/// Fills `attributes` of the checkpoint's modules, which are those of `modules`. `config` is the
/// node of the model's config, or kNone: it and its parts are compared as configs. Bounded by the
/// size of the tree; what is beyond that is opaque.
void read_module_attributes(Checkpoint& checkpoint, const pickle::Tree& tree,
                            const StorageTable& storages, const ModuleTree& modules, NodeId config);

}  // namespace samebits
