#include <fmt/format.h>

#include <algorithm>

#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kDetails = 6;  // lines under one finding

std::string_view label_of(Role role) {
  switch (role) {
    case Role::cause: return "cause";
    case Role::contributes: return "also";  // it can move the outputs as well
    case Role::risk: return "risk";
    case Role::note: return "note";
  }
  return "";
}

Tone tone_of(Role role) {
  return role == Role::cause ? Tone::bad : role == Role::risk ? Tone::warn : Tone::plain;
}

// The leading finding's summary stands in the headline and is not repeated.
void write_finding(const Finding& finding, bool leading, Screen* screen) {
  std::string_view label = label_of(finding.role);
  const Tone tone = tone_of(finding.role);
  if (!leading) {
    screen->phrases(label, {finding.summary, proof_name(finding.proof)}, tone);
    label = "";
  }
  for (std::size_t i = 0; i < std::min(finding.details.size(), kDetails); ++i) {
    screen->row(label, finding.details[i], tone);
    label = "";
  }
  if (finding.details.size() > kDetails) {
    screen->row("", and_more(finding.details.size() - kDetails));
  }
  if (!finding.settle.empty()) screen->row("to settle", finding.settle);
  if (!finding.remedy.empty()) screen->row("do this", finding.remedy, Tone::bold);
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

void findings_section(const Report& report, Screen* screen) {
  const Finding* leading = leading_finding(report);
  for (const Finding& finding : report.findings) {
    // The line of the weights says it already.
    if (finding.cause == "weights.renamed" && finding.role == Role::note) continue;
    write_finding(finding, &finding == leading, screen);
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
