// What happens without a part of a training's state, and what keeps it, for each framework.
//
// Source: runs with torch 2.13.0, transformers 5.24.0, Lightning 2.6.6 and accelerate 1.15.0 on a
// CPU: a training that was resumed with and without each part, against one that was not stopped.
#pragma once

#include <string_view>

#include "samebits/checkpoint/resume_state.h"

namespace samebits {

struct ResumeRemedy {
  std::string_view without;  // a sentence without a full stop: what happens
  std::string_view remedy;   // what to do
};

/// Of a part ("optimizer", "step", "scheduler", "scaler", "rng", "position", "ema", "weights"): the
/// framework's row, or that of any loop.
ResumeRemedy resume_remedy(std::string_view part, TrainingFramework framework);

}  // namespace samebits
