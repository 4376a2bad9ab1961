// Recurrent layers whose two biases one side keeps apart otherwise than the other.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.layout where bias_ih and bias_hh of RNNs and LSTMs differ, and their sums are equal but
/// for rounding: a layer adds the two before anything else is done (torch 2.13.0, nn.RNNBase). Not
/// of GRUs, which multiply a part of bias_hh first. Returns the names that it accounts for.
std::set<std::string> find_summed_biases(Report& report, const WeightPair& pair);

}  // namespace samebits
