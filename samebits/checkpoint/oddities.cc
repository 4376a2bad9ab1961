#include "samebits/checkpoint/oddities.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/tensor/distinct_views.h"

namespace samebits {
namespace {

constexpr std::size_t kMaxNames = 100;

std::map<std::uint32_t, std::vector<std::uint32_t>> by_storage(const Checkpoint& checkpoint) {
  std::map<std::uint32_t, std::vector<std::uint32_t>> groups;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) {
    const StoredTensor& tensor = checkpoint.entries[i];
    if (tensor.readable && tensor.view.numel() > 0) groups[tensor.storage].push_back(i);
  }
  return groups;
}

void note_shared(Checkpoint& checkpoint, const std::vector<std::uint32_t>& group) {
  const StoredTensor& first = checkpoint.entries[group[0]];
  const bool aliases = std::all_of(group.begin(), group.end(), [&](std::uint32_t i) {
    return same_elements(first.view, checkpoint.entries[i].view);
  });
  Oddity oddity{.kind = Oddity::Kind::shared_storage, .file = first.file, .offset = first.offset};
  oddity.summary = aliases ? fmt::format("{} names are one tensor (tied)", group.size())
                           : fmt::format("{} tensors are views of one storage", group.size());
  for (const std::uint32_t i : group) {
    if (oddity.tensors.size() < kMaxNames) oddity.tensors.push_back(checkpoint.entries[i].path);
  }
  checkpoint.oddities.push_back(std::move(oddity));
}

void note_partial(Checkpoint& checkpoint, const std::vector<std::uint32_t>& group) {
  const StoredTensor& first = checkpoint.entries[group[0]];
  std::uint64_t used = 0;
  for (const std::uint32_t i : group) used += checkpoint.entries[i].view.nbytes();
  if (used >= first.storage_bytes) return;
  checkpoint.oddities.push_back(
      {.kind = Oddity::Kind::partial_storage,
       .summary = fmt::format("a storage of {} bytes is saved whole for {} {} of them",
                              first.storage_bytes,
                              group.size() == 1 ? "a view that uses" : "views that use", used),
       .file = first.file,
       .offset = first.offset,
       .tensors = {first.path}});
}

void note_unreferenced(Checkpoint& checkpoint) {
  for (std::uint32_t file = 0; file < checkpoint.files.size(); ++file) {
    std::uint64_t total = 0;
    std::optional<std::uint64_t> first;
    for (const ByteRange& range : checkpoint.bytes) {
      if (range.file != file || range.use != ByteUse::unreferenced) continue;
      if (!first) first = range.begin;
      total += range.end - range.begin;
    }
    if (total == 0) continue;
    checkpoint.oddities.push_back(
        {.kind = Oddity::Kind::unreferenced_bytes,
         .summary = fmt::format("{} that nothing in the file refers to",
                                total == 1 ? "1 byte" : fmt::format("{} bytes", total)),
         .file = file,
         .offset = first});
  }
}

void note_hooks(Checkpoint& checkpoint) {
  Oddity oddity{.kind = Oddity::Kind::hooks};
  std::uint32_t hooks = 0;
  for (const ModuleRecord& module : checkpoint.modules) {
    hooks += module.hooks;
    if (module.hooks > 0 && oddity.tensors.size() < kMaxNames)
      oddity.tensors.push_back(module.path);
  }
  if (hooks == 0) return;
  oddity.summary =
      hooks == 1 ? "1 hook is registered on a module; it runs in every forward pass"
                 : fmt::format("{} hooks are registered on modules; they run in every forward pass",
                               hooks);
  checkpoint.oddities.push_back(std::move(oddity));
}

}  // namespace

void find_oddities(Checkpoint& checkpoint) {
  for (const auto& [storage, group] : by_storage(checkpoint)) {
    if (group.size() > 1) note_shared(checkpoint, group);
    note_partial(checkpoint, group);
  }
  note_unreferenced(checkpoint);
  note_hooks(checkpoint);
}

}  // namespace samebits
