// Whether a load by name leaves what one file lacks at the random values of a new model.
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// "; a loader leaves it at random values" of tensors that only `holder` of the pair has, where
/// that is known: all other names are the same on both sides, nothing on the other side could be
/// one of these under another name, and they hold what a model learns. Else "": what a class ties,
/// computes or fills with constants, and what it calls otherwise, is not random. What an adapter
/// holds in full is the base model's own where another lacks it, and the words say so.
std::string left_random_words(const WeightPair& pair, const Subject& holder,
                              const std::vector<std::string>& names);

}  // namespace samebits
