#include "samebits/report/terminal.h"

#include <fmt/format.h>

#include <algorithm>

#include "samebits/base/float_mode.h"
#include "samebits/explain/causes.h"
#include "samebits/explain/diagnosis.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

Tone verdict_tone(Verdict verdict) {
  switch (verdict) {
    case Verdict::same: return Tone::good;
    case Verdict::clean: return Tone::good;
    case Verdict::close: return Tone::warn;
    case Verdict::different: return Tone::bad;
    case Verdict::risk: return Tone::warn;
    case Verdict::unknown: return Tone::warn;
  }
  return Tone::plain;
}

void headline(const Report& report, Screen* screen) {
  const Finding* leading = leading_finding(report);
  const std::string tail = leading ? proof_name(leading->proof) : "";
  screen->headline(verdict_tone(report.verdict), verdict_text(report), report.diagnosis, tail);
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
    changed_section(report, screen);
    fields_section(report, screen);
    report.traces ? trace_section(report, screen) : outputs_section(report, screen);
    tolerance_row(report, screen);
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
      if (subject.checkpoint) contents_section(report, subject, style.all, screen);
    }
  }
}

/// What the words behind findings mean, of those on this screen. Under mere notes they matter
/// little.
void proof_rows(const Report& report, Screen* screen) {
  const bool runs = report.command == "explain";
  if ((!runs && report.command != "diff") || leading_finding(report) == nullptr) return;
  const auto explain_word = [&](Proof proof, std::string_view meaning) {
    const auto has_it = [&](const Finding& f) { return f.proof == proof && is_listed(f); };
    if (std::ranges::any_of(report.findings, has_it))
      screen->row(proof_name(proof), meaning, Tone::faint);
  };
  screen->blank();
  explain_word(Proof::proved, "shown by runs in which nothing else was changed");
  explain_word(Proof::observed, runs ? "seen in the files or in outputs; no run changed it alone"
                                     : "seen in the files; nothing was run");
  explain_word(Proof::suspected, "it fits what was seen, and nothing shows it yet");
}

}  // namespace

std::string verdict_text(const Report& report) {
  const Finding* leading = leading_finding(report);
  // Nothing is said of what a filter left out.
  const bool in_part =
      report.scope.filter && (report.command == "diff" || report.command == "explain");
  if (report.verdict == Verdict::close)
    return std::string(in_part ? "close in part" : "close") +
           (report.findings.has(Role::risk) ? "; risk" : "");
  if (report.verdict == Verdict::same && in_part)
    return leading ? "same in part; risk" : "same in part";
  if (report.verdict != Verdict::same || !leading) return verdict_name(report.verdict);
  // What follows is a risk, and no sign of sameness.
  return report.outputs.empty() ? report.weights.empty() ? "same; risk" : "same weights; risk"
                                : "same outputs; risk";
}

std::string and_more(std::size_t left_out) {
  return fmt::format("and {} more: --all lists them", grouped(left_out));
}

std::string render_terminal(const Report& report, const TerminalStyle& style) {
  const FloatMode contract;
  check_causes(report);
  Screen screen(style);
  headline(report, &screen);
  screen.blank();
  strip_section(report, &screen);
  subjects_section(report, &screen);
  answers_section(report, &screen);
  if (report.verdict == Verdict::unknown && !report.not_checked.empty()) {
    screen.blank();
    list_section("unchecked", report.not_checked, Tone::warn, &screen);
  }
  body(report, style, &screen);
  const bool rest = report.verdict != Verdict::unknown && !report.not_checked.empty();
  if (rest || !report.assumed.empty()) screen.blank();
  list_section("assumed", report.assumed, Tone::plain, &screen);
  if (rest) list_section("unchecked", report.not_checked, Tone::plain, &screen);
  proof_rows(report, &screen);
  return screen.take();
}

}  // namespace samebits
