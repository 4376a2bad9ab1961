// Tensors that a callback keeps beside a model.
#pragma once

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Takes candidates that hold only counts and states of generators out of the candidates, where
/// others are left: they are no models.
void set_aside_bookkeeping(Checkpoint& checkpoint);

}  // namespace samebits
