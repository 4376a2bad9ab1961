// What one checkpoint shows by itself: calls that no checkpoint needs, modules in training mode,
// invalid values, what a resumed training would lack.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// file.calls: calls and changes of the pickles that are neither plain reconstructions nor objects
/// of a model's classes, and imports of what can act on the machine.
void find_calls(Report& report, const Subject& subject);

/// file.calls as a note: other imports that no checkpoint is known to hold as values.
void find_unusual_imports(Report& report, const Subject& subject);

/// mode.training: a risk where a module's flag makes outputs random or changes statistics, a note
/// where it cannot matter.
void find_training_mode(Report& report, const Subject& subject);

/// weights.invalid: bad checksums and values that are not finite (as far as read), tensors whose
/// bytes cannot be read.
void find_invalid(Report& report, const Subject& subject);

/// weights.invalid: tensors that were saved on the meta device, of which no file holds a value.
void find_valueless(Report& report, const Subject& subject);

/// resume.missing: a note on a checkpoint of a training that lacks something exact resumption
/// needs.
void find_resume_leftovers(Report& report, const Subject& subject);

/// rng.noise, suspected: the definition of these models draws random numbers in every forward pass,
/// in eval mode too. One finding for all subjects.
void find_shared_noise(Report& report);
bool draws_noise(const std::string& model_type);

}  // namespace samebits
