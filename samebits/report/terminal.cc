#include "samebits/report/terminal.h"

#include <fmt/format.h>

#include <algorithm>

#include "samebits/base/float_mode.h"
#include "samebits/explain/causes.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

Tone verdict_tone(Verdict verdict) {
  switch (verdict) {
    case Verdict::same: return Tone::good;
    case Verdict::clean: return Tone::good;
    case Verdict::different: return Tone::bad;
    case Verdict::risk: return Tone::warn;
    case Verdict::unknown: return Tone::warn;
  }
  return Tone::plain;
}

// Why a subject could not be used, where that is so for one or more of them.
std::string unread_text(const Report& report) {
  std::string labels;
  for (const Subject& subject : report.subjects) {
    if (subject.checkpoint) continue;
    labels += (labels.empty() ? "" : ", ") + subject.path;
  }
  return labels.empty() ? "not everything could be checked" : labels + " could not be read";
}

std::string different_answer(const Report& report) {
  const auto parting = std::find_if(report.outputs.begin(), report.outputs.end(),
                                    [](const OutputPair& pair) { return pair.differing > 0; });
  if (!report.traces || parting == report.outputs.end()) return "the differences are listed below";
  return "the two runs part at " + parting->point;
}

void headline(const Report& report, Screen* screen) {
  const Finding* leading = leading_finding(report);
  const std::string text = leading ? leading->summary : answer_text(report);
  const std::string tail = leading ? proof_name(leading->proof) : "";
  screen->headline(verdict_tone(report.verdict), verdict_text(report), text, tail);
}

void list_section(std::string_view label, const std::vector<std::string>& texts, Tone tone,
                  Screen* screen) {
  for (const std::string& text : texts) {
    screen->row(&text == &texts.front() ? label : "", text, tone);
  }
}

bool has_comparison(const Report& report) {
  return !report.weights.empty() || !report.config.empty() || !report.preprocessing.empty() ||
         !report.outputs.empty();
}

void check_causes(const Report& report) {
  for (const Finding& finding : report.findings) cause(finding.cause);
}

void body(const Report& report, const TerminalStyle& style, Screen* screen) {
  if (has_comparison(report)) {
    screen->blank();
    weights_section(report, screen);
    fields_section(report, screen);
    report.traces ? trace_section(report, screen) : outputs_section(report, screen);
  }
  if (!report.loads.empty()) {
    screen->blank();
    loads_section(report, screen);
  }
  if (!report.resume.empty()) {
    screen->blank();
    resume_section(report, screen);
  }
  if (!report.findings.empty()) {
    screen->blank();
    findings_section(report, screen);
  }
  if (report.command == "inspect") {
    for (const Subject& subject : report.subjects) {
      if (subject.checkpoint) contents_section(subject, style.all, screen);
    }
  }
}

}  // namespace

std::string verdict_text(const Report& report) {
  const Finding* leading = leading_finding(report);
  if (report.verdict != Verdict::same || !leading) return verdict_name(report.verdict);
  // What follows is a risk, and no sign of sameness.
  return report.outputs.empty() ? report.weights.empty() ? "same; risk" : "same weights; risk"
                                : "same outputs; risk";
}

std::string answer_text(const Report& report) {
  switch (report.verdict) {
    case Verdict::unknown: return unread_text(report);
    case Verdict::same:
      if (report.traces) return "every point is bit-identical";
      return report.outputs.empty() ? "no difference found in what was compared"
                                    : "outputs are bit-identical and no difference was found";
    case Verdict::different: return different_answer(report);
    case Verdict::risk: return "the risks are listed below";
    case Verdict::clean: break;
  }
  if (report.command == "check" && !report.loads.empty()) {
    const LoadReport& load = report.loads[0];
    const std::size_t kept = load.counters.size() + load.tables.size();
    return fmt::format("all {} of {} are loaded{}", quantity(load.target_tensors - kept, "tensor"),
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

std::string and_more(std::size_t left_out) {
  return fmt::format("and {} more: --json lists them", grouped(left_out));
}

std::string render_terminal(const Report& report, const TerminalStyle& style) {
  const FloatMode contract;
  check_causes(report);
  Screen screen(style);
  headline(report, &screen);
  screen.blank();
  subjects_section(report, &screen);
  if (report.verdict == Verdict::unknown && !report.not_checked.empty()) {
    screen.blank();
    list_section("unchecked", report.not_checked, Tone::warn, &screen);
  }
  body(report, style, &screen);
  const bool rest = report.verdict != Verdict::unknown && !report.not_checked.empty();
  if (rest || !report.assumed.empty()) screen.blank();
  list_section("assumed", report.assumed, Tone::plain, &screen);
  if (rest) list_section("unchecked", report.not_checked, Tone::plain, &screen);
  return screen.take();
}

}  // namespace samebits
