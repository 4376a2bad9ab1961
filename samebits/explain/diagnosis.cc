#include "samebits/explain/diagnosis.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/scope.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/weights_sentence.h"

namespace samebits {
namespace {

constexpr std::size_t kLongestReason = 240;

// Why a subject could not be used, where that is so for one or more of them.
std::string unread_text(const Report& report) {
  std::string paths;
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) paths += (paths.empty() ? "" : ", ") + subject.path;
  }
  if (!paths.empty()) return paths + " could not be read";
  // What was expected, and what to do, stand with the whole text.
  const std::string& text = report.worst_gap;
  const std::string first = text.substr(0, std::min(text.find(" (expected "), text.find(". ")));
  return first.empty() || first.size() > kLongestReason ? "not everything could be checked" : first;
}

std::string different_text(const Report& report) {
  const auto parting = std::find_if(report.outputs.begin(), report.outputs.end(),
                                    [](const OutputPair& pair) { return pair.differing > 0; });
  if (!report.traces || parting == report.outputs.end()) return "the differences are listed below";
  return "the two runs first differ at " + parting->point;
}

std::string clean_text(const Report& report) {
  if (report.command == "check" && !report.loads.empty()) {
    const LoadReport& load = report.loads[0];
    const std::size_t kept = load.counters.size() + load.tables.size();
    return fmt::format("all {} of {} are loaded{}", counted(load.target_tensors - kept, "tensor"),
                       load.target,
                       kept == 0               ? ""
                       : load.tables.empty()   ? ", counters apart"
                       : load.counters.empty() ? ", computed tables apart"
                                               : ", counters and computed tables apart");
  }
  if (report.command == "resume") {
    return report.subjects.size() > 1 ? "nothing contradicts that B goes on from A"
                                      : "nothing is missing that exact resumption needs";
  }
  return "no risk found in what was read";
}

std::string close_text(const Report& report) {
  const ToleranceCounts counts = tolerance_counts(report);
  return fmt::format(
      "{}, and no number by more than {} allow",
      counted(counts.differing, report.traces ? "point" : "tensor", "differs", "differ"),
      tolerance_text(*report.scope.tolerance));
}

/// A filter left something out, and the answer is about what it took.
bool is_partial(const Report& report, const Finding* leading) {
  if (report.command == "inspect" || report.command == "check" || !report.scope.filter)
    return false;
  return leading == nullptr || leading->cause.starts_with("weights.") ||
         report.verdict == Verdict::close;
}

/// What a report without a leading finding comes to.
std::string plain_answer(const Report& report) {
  switch (report.verdict) {
    case Verdict::unknown: return unread_text(report);
    case Verdict::same:
      if (report.traces) return "every point is bit-identical";
      return report.outputs.empty() ? "no difference found in what was compared"
                                    : "outputs are bit-identical and no difference was found";
    case Verdict::different: return different_text(report);
    case Verdict::risk: return "the risks are listed below";
    case Verdict::close: return close_text(report);
    case Verdict::clean: break;
  }
  return clean_text(report);
}

/// A finding that the comparison of weights says better, as it knows where they differ.
bool is_about_values(const Finding& finding) {
  const Json& evidence = finding.evidence;
  if (finding.cause == "weights.changed") return !evidence.contains("chosen");
  if (finding.cause == "weights.missing") return !evidence.contains("architectures");
  // Of an update whose factors are there, they say more.
  if (finding.cause == "weights.adapted")
    return evidence.contains("residual") && evidence.contains("rank") && !evidence.contains("kind");
  if (finding.cause == "weights.rounded") return !evidence.contains("grid");
  return finding.cause == "file.mixup";
}

std::string sentence_of(const Report& report, const Finding& leading) {
  if (report.verdict != Verdict::different || !is_about_values(leading)) return "";
  std::string text;
  for (const WeightPair& pair : report.weights) {
    if (leading.subjects != std::vector{pair.a, pair.b}) continue;
    const bool differs = pair.comparison.verdict == WeightsVerdict::different ||
                         pair.comparison.verdict == WeightsVerdict::rounded;
    if (!differs || !pair.comparison.exchanges.empty()) continue;
    text = weights_sentence(report, pair, leading);
    if (!text.empty() && report.weights.size() > 1)
      text = fmt::format("{} and {}: {}", pair.a, pair.b, text);
  }
  return text;
}

}  // namespace

const Finding* leading_finding(const Report& report) {
  if (report.findings.empty()) return nullptr;
  const Finding& first = report.findings.front();
  const auto is_read = [](const Subject& subject) { return subject.checkpoint.has_value(); };
  const bool all_read = std::all_of(report.subjects.begin(), report.subjects.end(), is_read);
  if (report.verdict == Verdict::unknown && !all_read) return nullptr;
  // Of two traces that part, what is found elsewhere is not the answer.
  if (report.traces && first.role == Role::contributes) return nullptr;
  return first.role == Role::note ? nullptr : &first;
}

void diagnose(Report& report) {
  for (WeightPair& pair : report.weights) pair.segments = segments_of(report, pair);
  const Finding* leading = leading_finding(report);
  if (leading != nullptr) report.diagnosis = sentence_of(report, *leading);
  if (report.diagnosis.empty())
    report.diagnosis = leading != nullptr ? leading->summary : plain_answer(report);
  if (report.verdict == Verdict::close) report.diagnosis = close_text(report);
  if (report.verdict != Verdict::unknown && is_partial(report, leading))
    report.diagnosis = "of what --filter takes, " + report.diagnosis;
}

}  // namespace samebits
