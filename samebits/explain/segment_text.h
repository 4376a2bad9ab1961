// Segments of a model in words: "blocks 0 to 3, vit.layernorm and the head".
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/segments.h"

namespace samebits {

/// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string>& texts);

/// "0 to 3 and 7" of sorted numbers.
std::string numbers_text(const std::vector<std::int64_t>& numbers);

/// Names of which several stand in numbered blocks, in few lines: "51 names of vit.layers 6 to 11"
/// for more than three of one stack, `noun` in the place of names; the others as they stand.
std::vector<std::string> folded_names(const std::vector<std::string>& names,
                                      const std::string& noun);

/// Those of `all` that `chosen` marks. Blocks by their numbers, of one stack without its name;
/// modules beside them by name, many of them by their number. "" where none is marked.
std::string segments_text(const std::vector<Segment>& all, const std::vector<bool>& chosen);

/// "0.05" or "0.002 to 0.3": the relative changes of the single tensors of the marked segments,
/// from the one that changed least to the one that changed most, those from zero apart; "" where
/// none has one.
std::string relative_text(const std::vector<Segment>& all, const std::vector<bool>& chosen);

}  // namespace samebits
