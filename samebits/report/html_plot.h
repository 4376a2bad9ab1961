// Plots of a report as SVG inside the page.
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// The largest difference at each point of two runs, on a logarithmic scale; points that are
/// bit-identical stand on the baseline.
std::string divergence_plot(const Divergence& divergence);

/// Where each patch stands in the one run and in the other.
std::string token_plot(const TokenMap& map);

/// How many elements differ by how much: counts over powers of two.
std::string difference_histogram(const std::vector<std::uint64_t>& counts, int lowest_exponent);

/// Text in an HTML document: markup and what no text holds are escaped.
std::string html_text(std::string_view raw);

}  // namespace samebits
