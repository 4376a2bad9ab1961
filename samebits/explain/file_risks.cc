#include "samebits/explain/file_risks.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

struct Group {
  Oddity::Kind kind;
  const char* cause;
  const char* evidence;
  const char* several;  // of the summary, after the number
  const char* remedy;
};
constexpr Group kRefused{Oddity::Kind::refused, "load.refused", "reasons",
                         "reasons for which a loader refuses this file",
                         "Get the file again from its source, or save it again"};
constexpr Group kIncomplete{Oddity::Kind::incomplete, "file.incomplete", "parts",
                            "parts are absent, stale or doubled, and loaders differ in what they "
                            "take",
                            "Keep only what belongs to the model that is meant, or save it again "
                            "into an empty folder"};

void find_group(Report& report, const Subject& subject, const Group& group) {
  std::vector<std::string> parts;
  std::vector<std::string> remedies;  // of the parts, each once
  for (const Oddity& oddity : subject.checkpoint->oddities) {
    if (oddity.kind != group.kind) continue;
    parts.push_back(oddity.summary);
    const std::string remedy = oddity.remedy.empty() ? group.remedy : oddity.remedy;
    if (std::ranges::find(remedies, remedy) == remedies.end()) remedies.push_back(remedy);
  }
  if (parts.empty()) return;
  Finding finding{.cause = group.cause,
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary =
      parts.size() == 1 ? parts[0] : fmt::format("{} {}", parts.size(), group.several);
  constexpr std::size_t kShown = 5;
  if (parts.size() > 1)
    for (std::size_t i = 0; i < std::min(parts.size(), kShown); ++i)
      finding.details.push_back(parts[i]);
  finding.evidence = {{group.evidence, name_list(parts)}};
  finding.remedy = fmt::format("{}", fmt::join(remedies, "; "));
  add_finding(report, std::move(finding));
}

}  // namespace

void find_file_risks(Report& report, const Subject& subject) {
  find_group(report, subject, kRefused);
  find_group(report, subject, kIncomplete);
}

}  // namespace samebits
