// The order in which transformers 5 goes through the names of a file.
#pragma once

#include <string_view>

namespace samebits::model {

/// Part by part between dots: numbers before text, numbers and the digits at the end of a text by
/// their value, so that block 2 comes before block 10. Source: dot_natural_key() in 5.24.0's
/// core_model_loading.py. Digits are ASCII's alone.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace samebits::model
