// Unusual things about a checkpoint that structure alone shows.
#pragma once

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Tensors that share a storage, storages larger than what their tensors use, bytes that nothing
/// refers to, hooks. Requires account_bytes().
void find_oddities(Checkpoint& checkpoint);

}  // namespace samebits
