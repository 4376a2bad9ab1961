// The subjects of a command, opened: what every command that reports begins with.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "samebits/checkpoint/open.h"
#include "samebits/compare/alignment.h"
#include "samebits/explain/report.h"

namespace samebits {

struct SubjectOptions {
  std::string path;
  std::string key;  // which of several sets of weights; "" takes the preferred one
  /// The key was given for all subjects: one that has no such weights takes the preferred ones,
  /// unless none has.
  bool key_is_shared = false;
  /// What a program holds in memory, in the place of a file; `path` is then what it is called.
  std::shared_ptr<const Checkpoint> in_memory{};
  /// What of it is not compared; "": nothing to say.
  std::string left_out{};
};

/// Opens all of them, in parallel, labels them A, B, ... and puts them into the report. What cannot
/// be opened or read goes to not_checked and makes the report incomplete.
void open_subjects(Report& report, const std::vector<SubjectOptions>& subjects,
                   const OpenOptions& options);

/// Compares the weights of every other subject with A's, each pair in the report. What has no
/// weights, or could not be read, is a gap.
void compare_subjects(Report& report, int threads);

/// Labels beyond Z are AA, AB, ...
std::string subject_label(std::size_t index);

/// The weights, or the non-persistent buffers, of a candidate. Borrows from the checkpoint.
WeightSet weight_set(const Checkpoint& checkpoint, const Candidate& candidate);
/// Of a checkpoint's weights those with these names.
WeightSet some_weights(const Checkpoint& checkpoint, const std::set<std::string>& names);
WeightSet buffer_set(const Checkpoint& checkpoint, const Candidate& candidate);
/// The chosen weights of every subject, empty where there are none. With roles, where names differ
/// and the model is one that the name tables know.
std::vector<WeightSet> weight_sets(const Report& report, int threads);

/// The first `limit` names, as evidence lists them.
Json name_list(const std::vector<std::string>& names, std::size_t limit = 100);

/// "a, b, c, and 5 more".
std::string some_of(const std::vector<std::string>& names);

/// "1 tensor", "3 tensors".
std::string counted(std::uint64_t count, const std::string& noun);
/// "1 tensor has", "3 tensors have".
std::string counted(std::uint64_t count, const std::string& noun, const char* one,
                    const char* several);
/// "1 of 3 tensors has", "1 of 1 tensor has", "2 of 3 tensors have".
std::string counted_of(std::uint64_t count, std::uint64_t total, const std::string& noun,
                       const char* one, const char* several);

}  // namespace samebits
