// What a person can do where the passes of two models cannot be run here.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// A sentence for models of classes that samebits does not run: what runs them in PyTorch. "" where
/// a subject holds no model, or could not be opened.
std::string next_step(const Report& report);

}  // namespace samebits
