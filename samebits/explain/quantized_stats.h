// Differences of quantized weights as differences of the numbers that they say. Codes are no
// numbers: how far two of them are apart means nothing.
#pragma once

#include <string_view>

#include "samebits/explain/report.h"

namespace samebits {

/// How a pair without statistics differs whose elements are codes.
inline constexpr std::string_view kCodesAlone = "codes";

/// Gives pairs of codes, and of codes and plain numbers, the statistics of what they say, and takes
/// those of other integers in quantized layers away.
void settle_quantized(const Report& report, WeightPair* pair, int threads);

}  // namespace samebits
