#include "samebits/explain/reported.h"

#include <map>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/explain/diagnosis.h"

namespace samebits {

void shorten(std::vector<std::string>* lines) {
  constexpr std::size_t kShort = 100;   // so many are kept, whatever they say
  constexpr std::size_t kOfAKind = 20;  // of more, so many that begin alike
  constexpr std::size_t kBegin = 12;
  if (lines->size() <= kShort) return;
  std::vector<std::string> kept;
  std::map<std::string, std::size_t> counts;
  std::size_t left_out = 0;
  for (std::string& line : *lines) {
    if (kept.size() < 2 * kShort && ++counts[line.substr(0, kBegin)] <= kOfAKind) {
      kept.push_back(std::move(line));
    } else {
      ++left_out;
    }
  }
  if (left_out > 0) kept.push_back(fmt::format("{} more lines like these", left_out));
  *lines = std::move(kept);
}

Report report_of_error(const std::string& command, const std::vector<SubjectOptions>& subjects,
                       const Error& error) {
  Report report;
  report.command = command;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    Subject subject;
    subject.label = subject_label(i);
    subject.path = subjects[i].path;
    report.subjects.push_back(std::move(subject));
  }
  add_gap(report, to_string(error), Gap::blocking);
  report.verdict = Verdict::unknown;
  diagnose(report);
  // What was asked for wrongly says nothing of the files.
  if (error.code == ErrorCode::usage) report.diagnosis = error.what;
  return report;
}

Result<Report> reported(const std::string& command, const std::vector<SubjectOptions>& subjects,
                        const std::function<Result<Report>()>& make) {
  const FloatMode contract;
  try {
    Result<Report> report = make();
    if (!report) return report;
    shorten(&report->not_checked);
    diagnose(*report);
    return report;
  } catch (const std::exception&) {
    return report_of_error(command, subjects, error_of_exception(""));
  }
}

}  // namespace samebits
