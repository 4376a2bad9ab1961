// Loads that give other weights than the file holds.
//
// Source: from_pretrained of transformers 5.24.0, which divides each out_proj.weight of Mamba,
// Mamba 2 and FalconMamba that it loaded by the root of the number of layers where the config has
// rescale_prenorm_residual; load_state_dict() and 4.57.6 do not
// (findings/mamba-weights-change-on-load.sh).
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// code.version, a risk: of a load that was run, what stands otherwise in the model than in the
/// file.
void find_changed_by_load(Report& report, const LoadReport& load);

/// The same as the config of a directory says it, where no load was run.
void find_rescaled(Report& report, const Subject& subject);

}  // namespace samebits
