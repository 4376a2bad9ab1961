// What a person meets who loads one checkpoint with torch.load() as it is called by default, or
// maps it: names that it refuses, devices that the machine lacks, addresses that PyTorch's kernels
// treat apart.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// load.refused with `globals`: torch.load(weights_only=True) refuses the file. A note where the
/// file is a whole module or TorchScript, which nobody loads so; a risk where it claims to be data.
void find_load_refused(Report& report, const Subject& subject);

/// The same of every subject as a note, for commands that were asked something else; nothing of
/// whole modules and TorchScript.
void note_load_refused(Report& report);

/// load.refused with `devices`: torch.load() needs map_location on a machine without them.
void find_foreign_devices(Report& report, const Subject& subject);

/// numerics.alignment: matrices of a safetensors file that a loader which maps it leaves at
/// addresses that are no multiple of 16. A risk where not even their elements are aligned.
void find_unaligned(Report& report, const Subject& subject);

/// The same of one of two that are compared, where it matters between them: odd elements, or
/// matrices that the other does not have at such addresses.
void find_unaligned_of_pair(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
