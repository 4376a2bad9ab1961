// The directory or file of weights that was meant, where the one that was named holds none: a
// training's folder of checkpoint-N, a folder of the Hugging Face cache, Lightning's checkpoints/.
#pragma once

#include <string>
#include <vector>

namespace samebits {

/// Paths below `directory` that open_checkpoint() takes, the likeliest first: what refs/main names,
/// then the shallowest, of equal ones the one with the largest number in its name. Looks four
/// levels deep and at a bounded number of entries; links are not followed out of the tree but for
/// files.
std::vector<std::string> weights_below(const std::string& directory);

/// "Name DIR/checkpoint-20 (others: DIR/checkpoint-10)"; "" where there is nothing.
std::string hint_below(const std::string& directory);

}  // namespace samebits
