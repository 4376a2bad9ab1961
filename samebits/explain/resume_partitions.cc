#include "samebits/explain/resume_partitions.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/zero_directory.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr const char* kPartitionedPart = "optimizer moments";

/// Ranks whose file is not there.
std::vector<std::string> absent_ranks(const ZeroPartitions& zero) {
  std::set<int> there;
  for (const std::string& name : zero.names) there.insert(rank_of_zero_file(name).value_or(-1));
  std::vector<std::string> absent;
  for (std::uint64_t rank = 0; rank < zero.written; ++rank)
    if (!there.contains(static_cast<int>(rank))) absent.push_back(std::to_string(rank));
  return absent;
}

/// "" where all partitions say the same.
std::string unlike_steps(const ResumeFacts& facts) {
  std::set<double> steps;
  for (const OptimizerState& optimizer : facts.state.optimizers)
    for (const ParameterState& parameter : optimizer.parameters)
      if (parameter.step) steps.insert(*parameter.step);
  if (steps.size() < 2) return "";
  return fmt::format("{} and {}", count_text(*steps.begin()), count_text(*steps.rbegin()));
}

ResumeIssue absent_issue(const ZeroPartitions& zero, const std::vector<std::string>& absent) {
  ResumeIssue issue{.missing = {kPartitionedPart}};
  issue.summary = fmt::format("{} of {} partitions of the optimizer's state ({}) are not there",
                              absent.size(), zero.written, zero.place);
  issue.details = {"ranks without: " + some_of(absent),
                   "each rank opens its own file: load_checkpoint() ends with a FileNotFoundError "
                   "there (DeepSpeed 0.19.6)"};
  issue.evidence = {{"optimizer", zero.place}, {"ranks", name_list(absent)}};
  issue.remedy = "Copy the files of all ranks; with local disks, from every machine";
  return issue;
}

ResumeIssue unlike_issue(const ZeroPartitions& zero, const std::string& steps) {
  ResumeIssue issue{.missing = {kPartitionedPart}};
  issue.summary = fmt::format("partitions of the optimizer's state ({}) stand at unlike steps: {}",
                              zero.place, steps);
  issue.details = {"files of two saves lie in the directory, or one of them was not replaced"};
  issue.evidence = {{"optimizer", zero.place}};
  issue.remedy = "Take all files from one save";
  return issue;
}

}  // namespace

ResumeRow join_partitions(const ResumeFacts& facts, ResumeRows rows) {
  const ZeroPartitions& zero = *facts.state.zero;
  const std::string stage =
      zero.stage > 0 ? fmt::format("ZeRO stage {}", zero.stage) : std::string("not ZeRO");
  const std::uint64_t written = std::max<std::uint64_t>(zero.written, zero.names.size());
  std::string detail =
      fmt::format("{}: {} of {}", stage, zero.names.size(), counted(written, "partition"));
  if (rows.empty()) {
    ResumeRow row = resume_row(kPartitionedPart, "not read", zero.place, detail);
    row.unread.push_back(zero.place +
                         ": the state of the optimizer in its partitions has no form "
                         "that is read (elastic checkpoints have another one)");
    return row;
  }
  ResumeRow row = std::move(rows[0]);
  row.part.place = zero.place;
  row.part.detail = detail + "; of the first: " + row.part.detail;
  for (std::size_t i = 1; i < rows.size() && row.issues.empty(); ++i) {
    row.issues = std::move(rows[i].issues);
    row.part.state = rows[i].part.state;
  }
  if (const std::string steps = unlike_steps(facts); !steps.empty())
    row.issues.push_back(unlike_issue(zero, steps));
  if (const auto absent = absent_ranks(zero); !absent.empty())
    row.issues.push_back(absent_issue(zero, absent));
  const bool doubt = std::ranges::any_of(
      row.issues, [](const ResumeIssue& issue) { return issue.role == Role::risk; });
  if (doubt && row.part.state == "present") row.part.state = "in doubt";
  return row;
}

}  // namespace samebits
