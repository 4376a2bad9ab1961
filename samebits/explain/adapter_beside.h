// A directory that holds weights and an adapter: from_pretrained of transformers puts the adapter
// on top of the weights where peft is installed (transformers 5.24.0 with peft 0.21.2).
#pragma once

#include <optional>
#include <set>
#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The subject's adapter as a subject of its own, where its directory holds one beside the weights
/// that were taken. One that cannot be read stands in not_checked and leaves the report incomplete.
std::optional<Subject> adapter_beside(Report& report, const Subject& subject);

/// weights.adapted where both sides hold an adapter beside their weights and these differ.
void compare_adapters_beside(Report& report, const WeightPair& pair, const Subject& in_a,
                             const Subject& in_b);

}  // namespace samebits
