// One object of a training's file, sorted into a ResumeState.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/resume_state.h"

namespace samebits {

/// Adds what `object` holds. `weights` are keys of its dicts that are models and are not entered.
/// `role` is what a file beside the weights is by its name: "optimizer", "scheduler", "scaler",
/// "sampler", "rng", "settings", "custom"; "" for a main file, whose top-level keys tell.
void collect_resume_parts(ResumeState& state, const Checkpoint& source, const TorchObject& object,
                          const std::string& role, const std::vector<std::string>& weights);

}  // namespace samebits
