// Tables that a model's class computes when it is built, known by their names and their values.
//
// A version of a library keeps such a table in its state_dict, another does not; nothing was learnt
// in it. What is said here was computed anew and compared, element by element. Knows nothing of
// files.
//
// Sources: transformers 4.57.6 and 5.24.0 models/swin, beit, esm, gpt_neo, gpt2, marian, m2m_100,
// speech_to_text, modeling_rope_utils.py; microsoft's Swin and BEiT.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "samebits/tensor/tensor.h"

namespace samebits {

struct ComputedTable {
  std::string what;                    // "the places of pairs of tokens in a window of 7 x 7"
  std::optional<double> rope_theta{};  // of frequencies: the base that the table was computed from
};

/// Nothing where the name is none of a table that is known here, where any element is another than
/// the class computes (beyond the rounding of a sine or a power), or the table is too large for its
/// kind. Requires the values to be readable.
std::optional<ComputedTable> computed_table(std::string_view name, const TensorView& view);

}  // namespace samebits
