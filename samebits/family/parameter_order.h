// In which order the modules of transformers hold their parameters: that of named_parameters(),
// by which an optimizer's state numbers them.
//
// Sources: the constructors of transformers 4.57.6 and 5.24.0 models/{vit,vit_mae,deit,dinov2,
// dinov2_with_registers}; a module's own parameters come before those of the modules in it. Held
// against the libraries in tests/parity/train_from_test.py.
#pragma once

#include <vector>

#include "samebits/family/name_table.h"

namespace samebits::model {

/// The same tensors in that order, buffers left out. Requires a library that is transformers.
std::vector<TensorSpec> in_parameter_order(Library library, const ModelClass& model_class,
                                           std::vector<TensorSpec> tensors);

}  // namespace samebits::model
