// The answer of a report in one sentence: what stands beside its verdict.
//
// Where weights differ, the sentence says where and by how much: which blocks are identical, which
// changed, what stands on one side alone. Every clause of it is counted from the comparison; what
// the files do not show is not said. Elsewhere it is the leading finding's summary, or what a
// report without findings comes to.
#pragma once

#include <string>

#include "samebits/explain/report.h"

namespace samebits {

/// The finding that the verdict rests on, or nullptr: notes are none, nor is a reading of the files
/// where one of them could not be read, nor what stands beside the parting of two traces.
const Finding* leading_finding(const Report& report);

/// Fills Report::diagnosis, and the segments of its pairs. The last step of every command.
void diagnose(Report& report);

}  // namespace samebits
