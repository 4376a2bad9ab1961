// samebits resume: will a training go on exactly where this file was saved, and if not, what is
// missing; and can B be a continuation of A.
//
// Three steps: facts (resume_facts.h), rules that make a row of each part (resume_optimizer.h,
// resume_generators.h, resume_loop.h), and findings made of the rows. Only files are looked at:
// what a script does with them is not known.
#pragma once

#include <optional>

#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"

namespace samebits {

/// Verdict clean, risk, or unknown where a part could not be read. With `next`, it is whether
/// `next` can be a continuation of `checkpoint`, and only what contradicts that is a finding.
Report resume(const SubjectOptions& checkpoint, const std::optional<SubjectOptions>& next,
              int threads);

}  // namespace samebits
