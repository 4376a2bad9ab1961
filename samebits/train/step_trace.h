// The recording of a training step: what it saw, computed and changed, by name.
//
//     images, noise                                what the passes saw
//     activation.POINT, activation_gradient.POINT  at the output of a point of the pass
//     gradient.NAME, update.NAME                   of every weight that learns
//
// Where a step has several passes, what belongs to one has its number in front ("1.images").
#pragma once

#include <string>
#include <vector>

#include "samebits/train/model_step.h"
#include "samebits/train/trained_model.h"

namespace samebits {

struct StepTrace {
  std::vector<NamedArray> arrays;
};

/// Puts points of a pass into a recording, `prefix` in front of their names. Nothing for nullptr.
StepPoint recorder(StepTrace* trace, const std::string& prefix);

/// Adds gradients; the weights that learn, as they are before the step.
std::vector<NamedArray> record_gradients(TrainedModel& trained, VitWeights& gradient,
                                         StepTrace* trace);
/// Adds what the step added to each weight, rounded. `before` is what record_gradients() gave.
void record_updates(TrainedModel& trained, std::vector<NamedArray> before, StepTrace* trace);

}  // namespace samebits
