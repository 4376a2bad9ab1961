// Blocks that one side has more, and biases that a target lacks: a config says so, and no renaming
// helps.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/report.h"

namespace samebits {

/// Sets `dropped_blocks`, `random_blocks` and `dropped_biases`. Looks at names alone.
void note_blocks(const Checkpoint& source, LoadReport& load);

/// What is dropped, one sentence for each list.
std::vector<std::string> dropped_blocks_text(const LoadReport& load);
/// What stays random.
std::vector<std::string> random_blocks_text(const LoadReport& load);

/// Where blocks or biases are all that is dropped; "" else. Names the field of the config that is
/// loaded.
std::string dropped_blocks_remedy(const Report& report, const LoadReport& load);
/// Where blocks are all that stays random; "" else.
std::string random_blocks_remedy(const Report& report, const LoadReport& load);

}  // namespace samebits
