// What attributes of torch's layers do by what else the layer has.
//
// Source: torch 2.13.0, nn/modules/batchnorm.py, sparse.py, normalization.py and conv.py.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/compare/attribute_rows.h"

namespace samebits {

/// Whether a parameter or a buffer of the module has that name.
bool is_tensor_of(const ModuleRecord& module, const std::string& name);

/// Corrects what the table says of an attribute of two layers of torch: batch norms that hold
/// running statistics read them in eval mode whatever track_running_stats says, and without
/// max_norm no norm_type is read.
void settle_by_others(const ModuleRecord& a, const ModuleRecord& b, const std::string& name,
                      AttributeRow* row);

/// Whether two eps of RMSNorm are one: without eps it takes that of the type of its input, here of
/// its weight in `checkpoint`.
bool is_own_eps(const Checkpoint& checkpoint, const ModuleRecord& module, const Json& left,
                const Json& right);

/// 'same', and the numbers that it stands for: torch keeps what both mean under one name.
bool is_one_padding(const ModuleRecord& a, const ModuleRecord& b);

}  // namespace samebits
