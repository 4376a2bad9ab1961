#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/script_program.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/lock/lock.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

struct EntryDigest {
  std::string digest;
  bool constant = false;
};

/// The digests of entries, each read once however many names it has.
class EntryDigests {
 public:
  EntryDigests(const Checkpoint& checkpoint, LockAlgorithm algorithm)
      : checkpoint_(checkpoint),
        algorithm_(algorithm),
        first_(first_showing(checkpoint.entries)),
        known_(checkpoint.entries.size()) {}

  void compute(const std::vector<std::uint32_t>& which, int threads) {
    std::set<std::size_t> firsts;
    for (const std::uint32_t index : which) firsts.insert(first_[index]);
    std::vector<std::size_t> order(firsts.begin(), firsts.end());
    // The largest first, so that no thread is left alone with one.
    std::ranges::stable_sort(order, [this](std::size_t x, std::size_t y) {
      return checkpoint_.entries[x].view.nbytes() > checkpoint_.entries[y].view.nbytes();
    });
    std::uint64_t bytes = 0;
    for (const std::size_t i : order) bytes += checkpoint_.entries[i].view.nbytes();
    WorkStep step("taking digests", bytes);
    parallel_for(order.size(), threads, [&](std::size_t i) {
      const TensorView& view = checkpoint_.entries[order[i]].view;
      known_[order[i]] = {digest_text(algorithm_, view), is_constant(view)};
      step.add(view.nbytes());
    });
  }

  std::size_t first(std::uint32_t index) const { return first_[index]; }
  const EntryDigest& of(std::uint32_t index) const { return known_[first_[index]]; }

 private:
  const Checkpoint& checkpoint_;
  LockAlgorithm algorithm_;
  std::vector<std::size_t> first_;
  std::vector<EntryDigest> known_;
};

/// A tensor under the name that the lock gives it.
struct NamedEntry {
  std::string name;
  std::uint32_t entry = 0;
};

Result<std::vector<NamedEntry>> named_entries(const Checkpoint& checkpoint,
                                              const std::vector<std::uint32_t>& which,
                                              bool by_path) {
  std::vector<NamedEntry> entries;
  for (const std::uint32_t index : which) {
    const StoredTensor& tensor = checkpoint.entries[index];
    entries.push_back({by_path ? tensor.path : tensor.name, index});
    if (!tensor.readable)
      return fail({.code = ErrorCode::inconsistent,
                   .what = "the values of " + entries.back().name + " are not in it",
                   .file = checkpoint.path,
                   .hint = "Give the complete checkpoint"});
  }
  std::ranges::stable_sort(entries, {}, &NamedEntry::name);
  const auto twice = std::ranges::adjacent_find(entries, {}, &NamedEntry::name);
  if (twice == entries.end()) return entries;
  return fail({.code = ErrorCode::inconsistent,
               .what = "two tensors are called " + twice->name,
               .file = checkpoint.path});
}

std::vector<LockedTensor> locked(const Checkpoint& checkpoint,
                                 const std::vector<NamedEntry>& entries,
                                 const EntryDigests& digests) {
  std::map<std::size_t, std::string> first_names;
  std::vector<LockedTensor> tensors;
  for (const NamedEntry& each : entries) {
    const StoredTensor& stored = checkpoint.entries[each.entry];
    const bool empty = stored.view.numel() == 0;  // shares nothing
    const auto [first, is_first] = first_names.try_emplace(
        empty ? checkpoint.entries.size() + each.entry : digests.first(each.entry), each.name);
    const EntryDigest& digest = digests.of(each.entry);
    tensors.push_back({.name = each.name,
                       .dtype = stored.view.dtype(),
                       .shape = stored.view.shape(),
                       .digest = digest.digest,
                       .identity = stored.identity,
                       .tied_to = is_first ? "" : first->second,
                       .constant = digest.constant});
  }
  return tensors;
}

Json without_flags(const ModuleRecord& module) {
  return Json::array(
      {module.path, module.class_path, module.hyper, module.hooks, module.attributes});
}

LockedModules locked_modules(const Checkpoint& checkpoint, LockAlgorithm algorithm) {
  LockedModules locked{.count = checkpoint.modules.size()};
  Json all = Json::array();
  for (const ModuleRecord& module : checkpoint.modules) {
    if (module.training) locked.training.push_back(module.path);
    all.push_back(without_flags(module));
  }
  std::ranges::sort(locked.training);
  Json data = Json::array();
  for (const TensorView& view : checkpoint.attribute_data)
    data.push_back({info(view.dtype()).torch, view.shape(), sha256_hex(view)});
  locked.digest = value_digest(
      algorithm, Json::array({std::move(all), std::move(data), checkpoint.attribute_shared}));
  return locked;
}

}  // namespace

Result<Lock> make_lock(const Checkpoint& checkpoint, LockAlgorithm algorithm, int threads) {
  const Candidate& weights = checkpoint.weights();
  Lock lock{.algorithm = algorithm,
            .config = checkpoint.config,
            .preprocessing = checkpoint.preprocessing,
            .adapter = checkpoint.adapter};
  SAMEBITS_TRY(const auto tensors, named_entries(checkpoint, weights.weights, false));
  SAMEBITS_TRY(const auto buffers, named_entries(checkpoint, weights.buffers, false));
  SAMEBITS_TRY(const auto companions, named_entries(checkpoint, checkpoint.companions, true));
  std::vector<std::uint32_t> all;
  for (const auto* list : {&tensors, &buffers, &companions})
    for (const NamedEntry& each : *list) all.push_back(each.entry);
  EntryDigests digests(checkpoint, algorithm);
  digests.compute(all, threads);
  lock.tensors = locked(checkpoint, tensors, digests);
  lock.buffers = locked(checkpoint, buffers, digests);
  lock.companions = locked(checkpoint, companions, digests);
  for (const StoredValue& value : checkpoint.values) {
    if (!value.loaded) continue;
    if (!value.complete)
      return fail({.code = ErrorCode::limit,
                   .what = "the value " + value.path + " is too large to be read whole",
                   .file = checkpoint.path});
    lock.values[value.path] = value.digest;
  }
  if (!checkpoint.modules.empty()) lock.modules = locked_modules(checkpoint, algorithm);
  if (checkpoint.program) lock.code = program_digest(*checkpoint.program);
  if (checkpoint.graph) lock.code = checkpoint.graph->digest;
  return lock;
}

}  // namespace samebits
