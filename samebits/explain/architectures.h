// Whether two files hold models of two architectures, by their names, shapes and values.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The model types of two unlike architectures, "vit and gpt2", or "of unlike shapes" where the
/// files do not name them; "" where the weights may be of one.
std::string unlike_architectures(const Report& report, const WeightPair& pair);

/// What to do about two of them.
inline constexpr const char* kOfOneModel =
    "Compare files of one model: names, shapes and values say that these are two";
/// Whether a finding about the pair says that they are two.
bool are_two_architectures(const Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
