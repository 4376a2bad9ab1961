// The parts of a terminal report, each written from the report's values where it has any.
#pragma once

#include <string>

#include "samebits/report/screen.h"

namespace samebits {

/// One line a subject: label, path, what it is.
void subjects_section(const Report& report, Screen* screen);
/// Which pairs are equal, how many tensors differ, the renaming.
void weights_section(const Report& report, Screen* screen);
/// One mark for each block of a model, and for what stands beside them: how far it changed.
void strip_section(const Report& report, Screen* screen);
/// The tensors that changed, those that are alike in one row, the largest change first.
void changed_section(const Report& report, Screen* screen);
/// Config and preprocessing fields that differ, and what each can do.
void fields_section(const Report& report, Screen* screen);
void outputs_section(const Report& report, Screen* screen);
/// The same for all points of two traces: where they part, and how the difference grows.
void trace_section(const Report& report, Screen* screen);
/// What loading would do (check).
void loads_section(const Report& report, Screen* screen);
/// What is needed to go on, and what is there (resume).
void resume_section(const Report& report, Screen* screen);
/// Whether the section below lists it: of renamed weights their own line says all.
bool is_listed(const Finding& finding);
/// Causes, contributions, risks, notes, each with its remedy.
void findings_section(const Report& report, Screen* screen);
/// What is in one checkpoint (inspect).
void contents_section(const Report& report, const Subject& subject, bool all, Screen* screen);
/// Can I load it, what is it, how far was it trained, may I trust it (inspect).
void answers_section(const Report& report, Screen* screen);
/// How much of what differs is beyond a tolerance, where one was given.
void tolerance_row(const Report& report, Screen* screen);

/// Many names in few lines, each with how many it stands for and which numbers; all of them, one a
/// line, where everything is shown.
struct NamesTable {
  std::string title;  // "" for none
  const std::vector<std::string>& names;
  std::size_t lines = 0;  // at most
  std::size_t indent = 0;
};
void names_table(const NamesTable& table, Screen* screen);

/// The verdict as the headline begins: "same weights; risk" where a risk is what follows.
std::string verdict_text(const Report& report);

/// A JSON value in a table or a line: strings as they stand, everything else as JSON.
std::string value_text(const Json& value);

/// The end of a list that was cut short: "and 23 more: --all lists them".
std::string and_more(std::size_t left_out);

}  // namespace samebits
