// The parts of a terminal report, each written from the report's values where it has any.
#pragma once

#include <string>

#include "samebits/report/screen.h"

namespace samebits {

/// One line a subject: label, path, what it is.
void subjects_section(const Report& report, Screen* screen);
/// Which pairs are equal, how many tensors differ, the renaming, and a table of changed tensors.
void weights_section(const Report& report, Screen* screen);
/// Config and preprocessing fields that differ, and what each can do.
void fields_section(const Report& report, Screen* screen);
void outputs_section(const Report& report, Screen* screen);
/// The same for all points of two traces: where they part, and how the difference grows.
void trace_section(const Report& report, Screen* screen);
/// What loading would do (check).
void loads_section(const Report& report, Screen* screen);
/// What is needed to go on, and what is there (resume).
void resume_section(const Report& report, Screen* screen);
/// Causes, contributions, risks, notes, each with its remedy.
void findings_section(const Report& report, Screen* screen);
/// What is in one checkpoint (inspect).
void contents_section(const Subject& subject, bool all, Screen* screen);

/// The finding whose summary stands beside the verdict, or nullptr.
const Finding* leading_finding(const Report& report);

/// The verdict as the headline begins: "same weights; risk" where a risk is what follows.
std::string verdict_text(const Report& report);

/// What is said beside the verdict where no finding is.
std::string answer_text(const Report& report);

/// A JSON value in a table or a line: strings as they stand, everything else as JSON.
std::string value_text(const Json& value);

/// The start of a list, and how many are left out: "and 23 more: --json lists them".
std::string and_more(std::size_t left_out);

}  // namespace samebits
