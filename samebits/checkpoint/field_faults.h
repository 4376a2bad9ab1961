// What the fields of a checkpoint say of it, and those that hold what no model has.
#pragma once

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Adds to config_faults, preprocessing_faults and module_faults. Modules of one class with one
/// fault are one error, which names the first of them.
void find_field_faults(Checkpoint& checkpoint);

/// model_type and versions from the config; both may stand nowhere.
void derive_from_config(Checkpoint& checkpoint);

}  // namespace samebits
