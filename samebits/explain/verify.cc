#include "samebits/explain/verify.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/checkpoint/deep.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/explain/locked_weights.h"
#include "samebits/explain/own_code.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/tied_findings.h"
#include "samebits/explain/verify_findings.h"
#include "samebits/lock/lock_text.h"

namespace samebits {
namespace {

Result<void> check_weights(const Checkpoint& checkpoint) {
  if (checkpoint.has_weights() && !checkpoint.weights().weights.empty()) return {};
  return fail({.code = ErrorCode::usage,
               .what = "it holds no weights",
               .file = checkpoint.path,
               .hint = "samebits inspect lists what is in it"});
}

Result<Lock> lock_now(const SubjectOptions& subject, LockAlgorithm algorithm, int threads) {
  if (subject.in_memory) {  // no record of a file can be damaged
    SAMEBITS_TRY_VOID(check_weights(*subject.in_memory));
    return make_lock(*subject.in_memory, algorithm, threads);
  }
  SAMEBITS_TRY(
      const Checkpoint checkpoint,
      open_checkpoint(subject.path, {.key = subject.key, .cross_check = true, .threads = threads}));
  SAMEBITS_TRY_VOID(check_whole(checkpoint, threads));
  return make_lock(checkpoint, algorithm, threads);
}

std::uint32_t add_entry(Checkpoint* checkpoint, const LockedTensor& tensor, bool by_path) {
  const auto view = TensorView::valueless(tensor.dtype, tensor.shape);
  checkpoint->entries.push_back({.path = tensor.name,
                                 .name = by_path ? "" : tensor.name,
                                 .view = view ? *view : TensorView(),
                                 .role = TensorRole::weight,
                                 .readable = false,
                                 .absent = true,
                                 .identity = tensor.identity});
  return static_cast<std::uint32_t>(checkpoint->entries.size() - 1);
}

/// The lock as a subject: names and shapes without values. Of modules it knows which are in
/// training; what they are is taken from the other side.
Checkpoint checkpoint_of(const Lock& lock, const std::string& path, const Checkpoint& other) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.kind = CheckpointKind::lock;
  Candidate candidate;
  for (const LockedTensor& tensor : lock.tensors)
    candidate.weights.push_back(add_entry(&checkpoint, tensor, false));
  for (const LockedTensor& tensor : lock.buffers)
    candidate.buffers.push_back(add_entry(&checkpoint, tensor, false));
  checkpoint.candidates.push_back(std::move(candidate));
  for (const auto& [name, digest] : lock.values)
    checkpoint.values.push_back({.path = name, .loaded = true, .text = "", .digest = digest});
  checkpoint.config = lock.config;
  checkpoint.preprocessing = lock.preprocessing;
  checkpoint.adapter = lock.adapter;
  if (lock.config.is_object() && lock.config.contains("model_type") &&
      lock.config["model_type"].is_string())
    checkpoint.model_type = lock.config["model_type"].get<std::string>();
  if (lock.modules && lock.modules->count == other.modules.size()) {
    checkpoint.modules = other.modules;
    for (ModuleRecord& module : checkpoint.modules)
      module.training = std::ranges::binary_search(lock.modules->training, module.path);
  }
  return checkpoint;
}

Result<Lock> read_lock(const std::string& path) {
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  Result<Lock> lock = parse_lock(file->bytes(), path);
  if (!lock && lock.error().hint.empty())
    lock.error().hint = "A lock file is what samebits lock writes";
  return lock;
}

/// Indexes of a comparison count sorted names; those of a report count the candidate's weights.
void restore_indexes(const Checkpoint& checkpoint, const std::vector<LockedTensor>& tensors,
                     WeightComparison* comparison) {
  std::map<std::string_view, std::uint32_t> places;
  const auto& weights = checkpoint.weights().weights;
  for (std::uint32_t i = 0; i < weights.size(); ++i)
    places.emplace(checkpoint.entries[weights[i]].name, i);
  for (TensorMatch& match : comparison->matches)
    for (std::uint32_t& index : match.a) index = places.at(tensors[index].name);
}

void add_weights(Report& report, const Lock& held, const Lock& lock, int threads) {
  report.weights.push_back({"A", "B", compare_locked(held.tensors, lock.tensors, threads)});
  restore_indexes(*report.subjects[0].checkpoint, held.tensors, &report.weights[0].comparison);
  WeightComparison& comparison = report.weights[0].comparison;
  for (const LockedTensor& tensor : held.tensors)
    if (const auto view = TensorView::valueless(tensor.dtype, tensor.shape))
      comparison.bytes_compared += view->nbytes();
  settle_ties(report, &report.weights[0]);
  for (const std::string& text : comparison.unsearched) add_gap(report, text, Gap::aside);
  const std::size_t said = comparison.unsearched.size();
  set_aside_fused(held.tensors, lock.tensors, &comparison);
  for (std::size_t i = said; i < comparison.unsearched.size(); ++i)
    add_gap(report, comparison.unsearched[i], Gap::open);
}

void add_lock_subject(Report& report, const std::string& path, const Result<Lock>& lock) {
  Subject subject;
  subject.label = "B";
  subject.path = path;
  const Subject& a = report.subjects[0];
  if (!lock)
    add_gap(report, to_string(lock.error()), Gap::blocking);
  else
    subject.checkpoint = checkpoint_of(*lock, path, a.checkpoint ? *a.checkpoint : Checkpoint());
  report.subjects.push_back(std::move(subject));
}

Report verify_now(const SubjectOptions& options, const std::string& lock_path, int threads) {
  Report report;
  report.command = "verify";
  const Result<Lock> lock = read_lock(lock_path);
  open_subjects(report, {options}, {.threads = threads});
  add_lock_subject(report, lock_path, lock);
  const Subject& a = report.subjects[0];
  if (a.checkpoint && !a.checkpoint->has_weights())
    add_gap(report, a.path + ": holds no weights to verify", Gap::blocking);
  if (lock && has_weights(a)) {
    const Result<Lock> held = make_lock(*a.checkpoint, lock->algorithm, threads);
    if (!held) {
      add_gap(report, to_string(held.error()), Gap::blocking);
    } else {
      add_weights(report, *held, *lock, threads);
      find_locked_weights(report);
      find_locked_others(report, *held, *lock, threads);
    }
    apply_rules(report, {.threads = threads, .preprocessing_role = Role::contributes});
  }
  report.verdict = verdict_of_comparison(report);
  if (a.checkpoint && !not_locked(*a.checkpoint).empty())
    report.not_checked.push_back("A: no lock covers " + not_locked(*a.checkpoint));
  if (const auto code = a.checkpoint ? own_code_files(*a.checkpoint) : std::vector<std::string>();
      !code.empty())
    report.not_checked.push_back("A: no lock covers the code beside the weights: " + some_of(code));
  return report;
}

}  // namespace

Result<void> check_records(const Checkpoint& checkpoint, int threads) {
  for (const RecordFault& fault :
       faults_of_records(checkpoint, checkpoint.weights().weights, RecordCheck::checksums, threads))
    return fail({.code = ErrorCode::inconsistent,
                 .what = fault.unwritten
                             ? "the values of record " + fault.record + " were never written"
                             : bad_checksum_text(fault.record, fault.stored, fault.computed),
                 .file = checkpoint.files[fault.file].path,
                 .offset = fault.offset,
                 .hint = "Take the file from its source again"});
  return {};
}

Result<void> check_read(const Checkpoint& checkpoint) {
  if (!checkpoint.unread.empty()) return fail(checkpoint.unread.front());
  return check_weights(checkpoint);
}

Result<void> check_whole(const Checkpoint& checkpoint, int threads) {
  SAMEBITS_TRY_VOID(check_read(checkpoint));
  return check_records(checkpoint, threads);
}

Result<Lock> lock_of(const SubjectOptions& subject, LockAlgorithm algorithm, int threads) {
  const FloatMode contract;
  return caught(subject.path, [&] { return lock_now(subject, algorithm, threads); });
}

std::string not_locked(const Checkpoint& checkpoint) {
  std::set<std::uint32_t> covered(checkpoint.companions.begin(), checkpoint.companions.end());
  if (checkpoint.has_weights()) {
    covered.insert(checkpoint.weights().weights.begin(), checkpoint.weights().weights.end());
    covered.insert(checkpoint.weights().buffers.begin(), checkpoint.weights().buffers.end());
  }
  std::vector<std::string> parts;
  if (const std::size_t tensors = checkpoint.entries.size() - covered.size(); tensors > 0)
    parts.push_back(counted(tensors, "tensor") + " outside the weights");
  const auto values = std::ranges::count(checkpoint.values, false, &StoredValue::loaded);
  if (values > 0)
    parts.push_back(counted(static_cast<std::uint64_t>(values), "value") + " beside the tensors");
  return fmt::format("{}", fmt::join(parts, " and "));
}

Report verify(const SubjectOptions& subject, const std::string& lock_path, int threads) {
  return *reported("verify", {subject, {lock_path, ""}},
                   [&] { return verify_now(subject, lock_path, threads); });
}

}  // namespace samebits
