// The parts of the page, each as HTML under a heading that the page gives it; empty where the
// report has nothing for it.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// Every block of a model, and what stands beside them, as one mark: how far it changed.
std::string html_strip(const Report& report);
/// The same for the modules inside the blocks: a row for each module, a column for each block.
std::string html_module_maps(const Report& report);
/// How many tensors changed by how much.
std::string html_changes(const Report& report);
/// Renamings, exchanges, names of one side, and every tensor.
std::string html_weights(const Report& report);
/// check: what is left at random, dropped and mismatched, and the repair.
std::string html_loads(const Report& report);
/// resume: what is needed to go on, and what is there.
std::string html_resume(const Report& report);

/// inspect, of one subject.
std::string html_summary(const Checkpoint& checkpoint);
std::string html_config(const Checkpoint& checkpoint);
std::string html_training(const Checkpoint& checkpoint);
std::string html_modules(const Checkpoint& checkpoint);
std::string html_calls(const Checkpoint& checkpoint);
std::string html_bytes(const Checkpoint& checkpoint);
std::string html_tensors(const Subject& subject);

}  // namespace samebits
