// Tensors inside objects of torch's own C++ classes, in which quantized layers keep what they
// packed: no module registers them, and state_dict() gives them all the same.
//
// Source: torch/csrc/jit/python/script_init.cpp (ScriptObject.__reduce__), aten/src/ATen/native/
// quantized of torch 2.13. Which element of the state is what depends on the class; here they have
// numbers, as state_dict() numbers the parts of LinearPackedParams.
#pragma once

#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// By place in the object's state: "0", "1", "1.0". Empty for any other node.
std::vector<KeyValue> packed_tensors(const pickle::Tree& tree, NodeId node);

/// The scale and zero point of a quantized layer: numbers of Python in the module, and tensors in
/// its state_dict(). As tensors with values of their own, by the names "scale" and "zero_point";
/// empty for other modules.
std::vector<StoredTensor> layer_numbers(Checkpoint& checkpoint, const ModuleRecord& module,
                                        std::uint32_t file);

}  // namespace samebits
