#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "samebits/explain/diagnosis.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kDetails = 6;  // lines under one finding

std::string_view label_of(Role role) {
  switch (role) {
    case Role::cause: return "cause";
    case Role::contributes: return "contributes";
    case Role::risk: return "risk";
    case Role::note: return "note";
  }
  return "";
}

Tone tone_of(Role role) {
  return role == Role::cause ? Tone::bad : role == Role::risk ? Tone::warn : Tone::plain;
}

/// A repair of all that a load loses stands above, and is not written out again.
std::string remedy_text(const Report& report, const Finding& finding) {
  const bool is_repair = finding.remedy.starts_with("Rename before loading") ||
                         finding.remedy.starts_with("Rearrange before loading");
  if (!is_repair || report.loads.empty()) return finding.remedy;
  const LoadReport& load = report.loads[0];
  const bool is_whole = !load.restored.empty() && load.unplaced.empty() &&
                        load.restored.size() == load.random.size() + load.mismatched.size();
  if (!is_whole) return finding.remedy;
  return load.run_by.empty()
             ? "Apply the repair above: this command with --write FIXED writes the repaired file "
               "and checks it"
             : "Apply the repair above: this command with --python prints it as lines to paste";
}

/// What is to be done stands once on a screen: under the finding, or under the last of the first
/// findings in a row that ask for the same.
struct ShownFinding {
  const Finding& finding;
  std::string remedy;
  bool leading = false;  // its proof stands in the headline
  bool stated = false;   // and its summary
  bool with_details = true;
  bool with_remedy = true;
  bool of_several = false;  // the report has more subjects than one
};

/// Whether the next finding is of one kind with this one, so that what both say stands once, under
/// the last.
bool goes_on(const Finding& finding, const Finding& next) {
  return next.role == finding.role && next.cause == finding.cause;
}

/// Whether a sentence names a subject.
bool names_subject(const std::string& text, const std::string& label) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = text.find(label); at != std::string::npos; at = text.find(label, at + 1)) {
    const std::size_t end = at + label.size();
    if ((at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end])))
      return true;
  }
  return false;
}

/// What is said of one of several subjects names it.
std::string summary_of(const Finding& finding, bool of_several) {
  if (!of_several || finding.subjects.size() != 1 ||
      names_subject(finding.summary, finding.subjects[0]))
    return finding.summary;
  return finding.subjects[0] + ": " + finding.summary;
}

void write_details(const Finding& finding, std::string_view label, Screen* screen) {
  const std::size_t count =
      screen->all() ? finding.details.size() : std::min(finding.details.size(), kDetails);
  for (std::size_t i = 0; i < count; ++i) {
    screen->row(label, finding.details[i], tone_of(finding.role));
    label = "";
  }
  if (finding.details.size() > count) screen->row("", and_more(finding.details.size() - count));
}

void write_finding(const ShownFinding& shown, Screen* screen) {
  const Finding& finding = shown.finding;
  const Tone tone = tone_of(finding.role);
  const bool is_short = finding.details.empty() && finding.settle.empty();
  const bool with_summary =
      !shown.stated || (is_short && shown.with_remedy && !finding.remedy.empty());
  // Under a headline that is the summary, the rest is what shows it.
  std::string_view label = with_summary ? label_of(finding.role) : "why";
  if (with_summary) {
    screen->phrases(
        label,
        {summary_of(finding, shown.of_several), shown.leading ? "" : proof_name(finding.proof)},
        tone);
    label = "";
  }
  if (shown.with_details) write_details(finding, label, screen);
  if (!finding.settle.empty()) screen->row("to settle", finding.settle);
  if (shown.remedy.empty() || !shown.with_remedy) return;
  // Of a note nothing has to be done.
  if (finding.role == Role::note) {
    screen->row("if needed", shown.remedy);
  } else {
    screen->row("do this", shown.remedy, Tone::bold);
  }
}

std::string output_text(const OutputPair& pair, const std::string& labels) {
  const std::string of_all = quantity(pair.elements, "element");
  const std::string extent =
      fmt::format("{} of {}, up to {}", percent(pair.differing, pair.elements), of_all,
                  short_number(pair.max_abs));
  if (pair.verdict == "identical") {
    return fmt::format("{} are bit-identical at {}: {}", labels, pair.point, of_all);
  }
  if (pair.verdict == "permuted") {
    return fmt::format("{} are equal at {} up to the order of tokens: {}", labels, pair.point,
                       extent);
  }
  if (pair.verdict == "rounding") {
    return fmt::format("{} are equal at {} up to rounding: {}", labels, pair.point, extent);
  }
  return fmt::format("{} differ at {}: {}", labels, pair.point, extent);
}

bool same_outcome(const OutputPair& a, const OutputPair& b) {
  return a.a == b.a && a.point == b.point && a.verdict == b.verdict && a.elements == b.elements &&
         a.differing == b.differing;
}

}  // namespace

bool is_listed(const Finding& finding) {
  return finding.cause != "weights.renamed" || finding.role != Role::note;
}

void findings_section(const Report& report, Screen* screen) {
  const Finding* leading = leading_finding(report);
  std::vector<const Finding*> shown;
  for (const Finding& finding : report.findings) {
    if (is_listed(finding)) shown.push_back(&finding);
  }
  std::set<std::string> said;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const Finding& finding = *shown[i];
    const bool is_leading = &finding == leading;
    const Finding* next = i + 1 < shown.size() ? shown[i + 1] : nullptr;
    const bool follows =
        next != nullptr && next->role == finding.role && next->remedy == finding.remedy;
    const bool stated = is_leading && report.diagnosis == finding.summary;
    const bool details_follow =
        !stated && next != nullptr && goes_on(finding, *next) && next->details == finding.details;
    const bool again = follows || !said.insert(finding.remedy).second;
    write_finding({.finding = finding,
                   .remedy = remedy_text(report, finding),
                   .leading = is_leading,
                   .stated = stated,
                   .with_details = !details_follow,
                   .with_remedy = !again,
                   .of_several = report.subjects.size() > 1},
                  screen);
  }
}

void outputs_section(const Report& report, Screen* screen) {
  const std::vector<OutputPair>& outputs = report.outputs;
  for (std::size_t i = 0; i < outputs.size();) {
    OutputPair joined = outputs[i];
    std::string labels = joined.a;
    std::size_t next = i;
    for (; next < outputs.size() && same_outcome(outputs[i], outputs[next]); ++next) {
      labels += ", " + outputs[next].b;
      joined.max_abs = std::max(joined.max_abs, outputs[next].max_abs);
    }
    screen->row(i == 0 ? "outputs" : "", output_text(joined, labels));
    i = next;
  }
}

}  // namespace samebits
