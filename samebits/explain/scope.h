// What a command line leaves out of a comparison (--filter), and what it overlooks (--rtol,
// --atol).
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Keeps of every comparison of weights what has a name on either side that the filter takes, and
/// says how many tensors it leaves out. All of them were compared: a renaming that the others show
/// holds. Nothing where there is no filter.
void apply_filter(Report& report);

/// Counts, in every pair of tensors whose values differ, the elements beyond the tolerance. Nothing
/// where there is none.
void apply_tolerance(Report& report, int threads);

/// A verdict "different" that rests on nothing but numbers within the tolerance becomes "close".
void settle_close(Report& report);

/// Of the points of two traces, or the tensors of all pairs: how many differ in bits, and how many
/// of these have numbers beyond the tolerance, or none to hold against it.
struct ToleranceCounts {
  std::uint64_t differing = 0, beyond = 0;
};
ToleranceCounts tolerance_counts(const Report& report);

/// Of `inspect`: whether a filter lets this tensor be listed.
bool is_listed(const Report& report, const StoredTensor& tensor);

/// "rtol 1e-05 and atol 1e-08"
std::string tolerance_text(const Tolerance& tolerance);

}  // namespace samebits
