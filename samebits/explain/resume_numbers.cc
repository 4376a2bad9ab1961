#include "samebits/explain/resume_numbers.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// Files that accelerate 1.15.0 writes (checkpointing.py): START, END for the first, START_1, ...
struct NumberedFiles {
  std::string_view start, end;
  bool first_has_number = false;
};
constexpr NumberedFiles kNumberedFiles[] = {{"model", ".safetensors"},
                                            {"pytorch_model", ".bin"},
                                            {"optimizer", ".bin"},
                                            {"scheduler", ".bin"},
                                            {"sampler", ".bin"},
                                            {"dl_state_dict", ".bin"},
                                            {"custom_checkpoint", ".pkl", true}};

/// Its number; nothing for a file of another kind.
std::optional<int> number_in_kind(const std::string& name, const NumberedFiles& kind) {
  if (!name.starts_with(kind.start) || !name.ends_with(kind.end)) return std::nullopt;
  if (name.size() < kind.start.size() + kind.end.size()) return std::nullopt;
  const std::string between =
      name.substr(kind.start.size(), name.size() - kind.start.size() - kind.end.size());
  if (between.empty()) return kind.first_has_number ? std::nullopt : std::optional(0);
  const bool is_number =
      between[0] == '_' && between.size() > 1 && between.size() < 6 &&
      std::all_of(between.begin() + 1, between.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? std::optional(std::stoi(between.substr(1))) : std::nullopt;
}

std::string file_of_number(const NumberedFiles& kind, int number) {
  const bool bare = number == 0 && !kind.first_has_number;
  return fmt::format("{}{}{}", kind.start, bare ? "" : fmt::format("_{}", number), kind.end);
}

std::set<std::string> file_names(const ResumeFacts& facts) {
  std::set<std::string> names;
  for (const Checkpoint* checkpoint : {facts.checkpoint, &facts.state.source})
    for (const SourceFile& file : checkpoint->files)
      names.insert(std::filesystem::path(file.path).filename().string());
  return names;
}

std::vector<std::string> left_out(const NumberedFiles& kind, const std::set<std::string>& names) {
  std::set<int> numbers;
  for (const std::string& name : names)
    if (const auto number = number_in_kind(name, kind)) numbers.insert(*number);
  std::vector<std::string> absent;
  for (int i = 0; !numbers.empty() && i < *numbers.rbegin(); ++i)
    if (!numbers.contains(i)) absent.push_back(file_of_number(kind, i));
  return absent;
}

}  // namespace

ResumeRows judge_numbers_of_files(const ResumeFacts& facts) {
  ResumeRows rows;
  if (!facts.is(TrainingFramework::accelerate)) return rows;
  const std::set<std::string> names = file_names(facts);
  for (const NumberedFiles& kind : kNumberedFiles) {
    const std::vector<std::string> absent = left_out(kind, names);
    if (absent.empty()) continue;
    ResumeRow row = resume_row("files", "missing", "", some_of(absent));
    ResumeIssue issue{.missing = absent};
    issue.summary = fmt::format(
        "{} not there, and files of higher numbers are",
        absent.size() == 1 ? absent[0] + " is" : fmt::format("{} and others are", absent[0]));
    row.issues.push_back(std::move(issue));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string further_models(const ResumeFacts& facts) {
  std::map<std::string, std::size_t> tensors;
  for (const std::uint32_t index : facts.checkpoint->companions) {
    const std::string& path = facts.checkpoint->entries[index].path;
    if (!path.starts_with("custom_")) ++tensors[path.substr(0, path.find(':'))];
  }
  std::string text;
  for (const auto& [file, count] : tensors)
    text += fmt::format(", and {} of {}", counted(count, "tensor"), file);
  return text;
}

}  // namespace samebits
