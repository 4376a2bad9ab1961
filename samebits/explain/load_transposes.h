// What a load into another checkpoint's names takes, or refuses, transposed: layers that keep
// weights as [in, out] (Conv1D of GPT-2, TensorFlow, JAX) against torch's Linear.
#pragma once

#include "samebits/explain/load_list.h"

namespace samebits {

/// Sets load.transposed: tensors of one name whose values are the target's, transposed. Square ones
/// are loaded as they stand, and others refused for their shape. Looks at a few elements of each
/// matrix, and reads in full those that may be.
void note_transposes(const Checkpoint& source, const LoadList& target, int threads,
                     LoadReport& load);

/// weights.rearranged: these, and shapes that are the target's the other way round.
void find_transposed(Report& report, const LoadReport& load);

/// Whether one is the other's with its two sizes exchanged.
bool are_turned_sizes(const Shape& a, const Shape& b);

}  // namespace samebits
