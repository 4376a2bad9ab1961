// For targets that take two files of weights: the two cut from one input, and what must hold of
// every report.
#pragma once

#include <cmath>

#include "fuzz/memory_file.h"
#include "samebits/explain/causes.h"
#include "samebits/explain/report.h"
#include "samebits/report/html.h"
#include "samebits/report/json.h"
#include "samebits/report/terminal.h"

namespace samebits::fuzz {

struct TwoFiles {
  Bytes a, b;
};

/// Two bytes with the first file's size, little-endian; the first file; the other.
inline TwoFiles cut(Bytes input) {
  if (input.size() < 2) return {input, {}};
  const Bytes rest = input.subspan(2);
  const std::size_t size = std::min<std::size_t>(load_u16le(input.data()), rest.size());
  return {rest.first(size), rest.subspan(size)};
}

inline void check_report(const Report& report) {
  for (const Finding& finding : report.findings) {
    require(has_evidence(finding) && !finding.summary.empty() && !finding.subjects.empty());
    require(finding.proof != Proof::suspected || !finding.settle.empty());
  }
  require((exit_status(report) == 2) == (report.verdict == Verdict::unknown));
  require(report.traces || report.gap != Gap::blocking || report.verdict == Verdict::unknown);
  const std::string text = json_text(report);
  require(Json::accept(text));  // strict: NaN is no JSON
  const Json read = Json::parse(text);
  require(read["verdict"] == verdict_name(report.verdict));
  require(read["findings"].size() == report.findings.size());
  require(!render_terminal(report, {}).empty());
  require(render_html(report).ends_with("</html>\n"));
}

}  // namespace samebits::fuzz
