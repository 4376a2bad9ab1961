#include <fmt/format.h>

#include "samebits/explain/scope.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {

void answers_section(const Report& report, Screen* screen) {
  if (!report.answers) return;
  screen->blank();
  const Answers& answers = *report.answers;
  const auto add = [&](const char* label, const std::string& text) {
    if (!text.empty()) screen->row(label, text, Tone::bold);
  };
  add("load it", answers.load);
  add("it is", answers.model);
  add("trained", answers.trained);
  add("trust it", answers.trust);
}

void tolerance_row(const Report& report, Screen* screen) {
  if (!report.scope.tolerance) return;
  const ToleranceCounts counts = tolerance_counts(report);
  if (counts.differing == 0) return;
  screen->row(
      "tolerance",
      fmt::format("{} of {} that {} {} beyond {}", grouped(counts.beyond),
                  quantity(counts.differing, report.traces ? "point" : "tensor"),
                  counts.differing == 1 ? "differs" : "differ", counts.beyond == 1 ? "is" : "are",
                  tolerance_text(*report.scope.tolerance)));
}

}  // namespace samebits
