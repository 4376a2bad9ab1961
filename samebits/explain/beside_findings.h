// What stands beside the weights: state that a loader restores, further models of a directory,
// adapters' configs; and what a report of equal weights did not compare.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// state.buffers: values that load_state_dict() or a framework hands to the model (_extra_state,
/// _packed_params, accelerate's custom objects, arrays of objects) and that differ.
void find_state_values(Report& report, const Subject& a, const Subject& b);

/// weights.changed: a second model or a registered object of a directory that differs.
void find_companion_changes(Report& report, const Subject& a, const Subject& b, int threads);

/// config.changed: what adapter_config.json says on both sides.
void find_adapter_config_changes(Report& report, const Subject& a, const Subject& b);

/// For a report that says `same`: names in `not_checked` what stands beside the weights and was not
/// compared, or differs and is read by no loader of weights.
void list_uncompared(Report& report);

}  // namespace samebits
