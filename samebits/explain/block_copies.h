// Blocks of a numbered list that repeat another block of their file.
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// "model.layers.2 holds what model.layers.1 holds, bit for bit": for the blocks in which weights
/// of these names stand, where all of these names in it repeat one other block. "" where none do.
std::string block_copies_text(const Subject& subject, const std::vector<std::string>& names);

}  // namespace samebits
