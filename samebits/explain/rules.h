// The rules by which facts become findings: one table, in the order in which they are applied.
//
// Readers, comparisons and runs come first and only add facts to the report: subjects, weights,
// loads, what runs showed. Then each rule looks at the facts and adds what it finds, once. A rule
// may look at what the rules before it found, so that nothing is said twice; nothing changes a
// finding that is there.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

struct RuleOptions {
  int threads = 1;
  /// Of a difference in preprocessing that can move outputs.
  Role preprocessing_role = Role::contributes;
};

/// Applies the rules of the report's command: those about a pair to A and every other subject,
/// those about loads, those about a subject to every subject, then those about the report as a
/// whole. What was not opened is left out. Requires weights, loads and runs in the report.
void apply_rules(Report& report, const RuleOptions& options);

}  // namespace samebits
