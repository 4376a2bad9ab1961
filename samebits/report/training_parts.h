// The parts of a training's state in the order in which reports list them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Name, and where it was found.
inline constexpr std::array<std::pair<const char*, std::optional<std::string> TrainingState::*>, 7>
    kTrainingParts = {{{"optimizer", &TrainingState::optimizer},
                       {"step", &TrainingState::step},
                       {"scheduler", &TrainingState::scheduler},
                       {"scaler", &TrainingState::scaler},
                       {"rng", &TrainingState::rng},
                       {"sampler", &TrainingState::sampler},
                       {"ema", &TrainingState::ema}}};

}  // namespace samebits
