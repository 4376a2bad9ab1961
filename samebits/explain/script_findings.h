// What TorchScript archives add to a comparison: their code, its constants, and the mode that it
// holds.
#pragma once

#include "samebits/compare/modules.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Of a pair with at least one archive. Of two that were made in one way the code is compared:
/// code.version where it differs, config.changed for its constants; where only torch's own
/// functions differ the report is left undecided. Elsewhere what code was not held against which
/// stands in not_checked, with a note of two archives that were made in two ways.
void find_script_changes(Report& report, const Subject& a, const Subject& b);

/// Leaves of the differences between two trees of modules those that an archive decides: values
/// that both sides state. An attribute of a class of its own matters where the code reads it.
void settle_script_attributes(const Subject& a, const Subject& b,
                              std::vector<ModuleDifference>* differences);

/// True for traced and frozen archives, whose modules' flags say nothing: the mode stands in the
/// code.
bool has_mode_in_code(const Checkpoint& checkpoint);

/// mode.training of such an archive: its code acts as in training, and eval() does not change that.
void find_mode_in_code(Report& report, const Subject& subject);

}  // namespace samebits
