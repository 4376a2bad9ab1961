// Output layers that one side ties to its embeddings, and the other has of its own; and configs
// that contradict their files about it.
//
// Source: what from_pretrained of transformers 4.57.6 and 5.24.0 makes of such directories
// (tests/parity/ties_test.py): where the config ties and the file has other values for the tied
// name, 4.57.6 takes the embeddings for both, and 5.24.0 keeps both.
#pragma once

#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// weights.tied for names that only one side has, where the other's config makes them another name
/// of a tensor that it has, with other values. Returns them.
std::set<std::string> find_own_heads(Report& report, const WeightPair& pair);

/// weights.tied: a directory whose config ties what its file has apart.
/// weights.missing: one whose config does not tie the output layer that the file lacks.
void find_tie_conflict(Report& report, const Subject& subject);

/// Whether the field tie_word_embeddings alone tells the two apart: one side ties, and what the
/// other has in the output layer of its own are the same values.
bool is_tied_in_values_alone(const Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
