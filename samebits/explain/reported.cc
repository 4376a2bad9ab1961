#include "samebits/explain/reported.h"

#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"

namespace samebits {

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
  return report;
}

Result<Report> reported(const std::string& command, const std::vector<SubjectOptions>& subjects,
                        const std::function<Result<Report>()>& make) {
  const FloatMode contract;
  try {
    return make();
  } catch (const std::exception&) {
    return report_of_error(command, subjects, error_of_exception(""));
  }
}

}  // namespace samebits
