// Values that a target wants and a checkpoint holds in another form than under another name:
// stacked, cut, reshaped; a pruned or normalized weight in its factors; rows of a table of tokens.
//
// Source: torch 2.13.0 nn/utils/prune.py (NAME_orig, NAME_mask), weight_norm.py (NAME_g, NAME_v),
// parametrize.py (parametrizations.NAME.original...).
#pragma once

#include <string>

#include "samebits/explain/load_list.h"

namespace samebits {

/// Where the target is a checkpoint: what no renaming fills, but equal bytes of what is left over
/// do.
void find_held(const Checkpoint& source, const LoadList& target, int threads, LoadReport& load);

/// How the tensors that stay without a value are built of what the checkpoint holds; "" where
/// nothing shows it.
std::string held_text(const LoadReport& load);

}  // namespace samebits
