#include "samebits/cli/bus_error.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>

#include "samebits/explain/subjects.h"
#include "samebits/report/json.h"
#include "samebits/report/run_report.h"

namespace samebits {
namespace {

constexpr std::array kReporting = std::to_array<std::string_view>(
    {"inspect", "diff", "explain", "check", "resume", "run", "verify"});
constexpr std::array kFlags = std::to_array<std::string_view>(
    {"--json", "--deep", "--sha256", "--all", "--files-only", "--recursive"});

bool is_in(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

std::string bus_error_report(int argc, const char* const* argv) {
  const std::span<const char* const> words(argv, static_cast<std::size_t>(std::max(argc, 0)));
  const bool json = std::ranges::any_of(
      words, [](const char* word) { return std::string_view(word) == "--json"; });
  if (!json || words.size() < 2 || !is_in(kReporting, words[1])) return "";
  Report report;
  report.command = words[1];
  report.verdict = Verdict::unknown;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string_view before = words[i - 1];
    const bool is_value = before.starts_with("--") && !is_in(kFlags, before);
    std::error_code error;
    if (is_value || words[i][0] == '-' || !std::filesystem::exists(words[i], error)) continue;
    Subject subject;
    subject.label = subject_label(report.subjects.size());
    subject.path = words[i];
    report.subjects.push_back(std::move(subject));
  }
  if (report.command == "run")
    return run_failure_json(report.subjects.empty() ? "" : report.subjects[0].path, kBusErrorText);
  report.not_checked.emplace_back(kBusErrorText);
  return json_text(report);
}

}  // namespace samebits
