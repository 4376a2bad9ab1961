// Plots of a report as SVG inside the page: axes with their numbers, a title for screen readers,
// and each mark's value under the pointer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/report.h"

namespace samebits {

/// The largest difference at each point of two runs, on a logarithmic scale; points that are
/// bit-identical stand on the baseline.
std::string divergence_plot(const Divergence& divergence);

/// Where each patch stands in the one run and in the other.
std::string token_plot(const TokenMap& map);

/// How many tensors changed by how much; numbers over 0. Those that are not finite have a bar of
/// their own.
std::string change_histogram(const std::vector<double>& changes);

/// How many elements differ by how much: counts over powers of two.
std::string difference_histogram(const std::vector<std::uint64_t>& counts, int lowest_exponent);

/// What each part of a file is for. Ranges are sorted and do not overlap.
std::string byte_map(const std::vector<ByteRange>& ranges);

}  // namespace samebits
