#include "samebits/checkpoint/choice.h"

namespace samebits {
namespace {

constexpr const char* kByKey = "asked for by --key";

std::string shown(const std::string& key) { return key.empty() ? "the whole file" : key; }

std::string list_keys(const Checkpoint& checkpoint) {
  std::string keys;
  for (const Candidate& candidate : checkpoint.candidates) {
    if (candidate.key.empty()) continue;
    keys += (keys.empty() ? "" : ", ") + candidate.key;
  }
  return keys;
}

void name_tensors(Checkpoint& checkpoint) {
  const Candidate& weights = checkpoint.weights();
  const std::size_t prefix = weights.key.empty() || checkpoint.kind == CheckpointKind::hf_directory
                                 ? 0
                                 : weights.key.size() + 1;
  for (const auto* list : {&weights.weights, &weights.buffers}) {
    for (const std::uint32_t index : *list) {
      StoredTensor& tensor = checkpoint.entries[index];
      tensor.name = tensor.path.size() >= prefix ? tensor.path.substr(prefix) : tensor.path;
    }
  }
}

}  // namespace

bool is_chosen_by_key(const Checkpoint& checkpoint) { return checkpoint.choice_reason == kByKey; }

Result<void> choose_weights(Checkpoint& checkpoint, const std::string& key) {
  auto& candidates = checkpoint.candidates;
  std::size_t chosen = 0;
  if (!key.empty()) {
    while (chosen < candidates.size() && candidates[chosen].key != key) ++chosen;
    if (chosen == candidates.size()) {
      const std::string keys = list_keys(checkpoint);
      return fail(
          {.code = ErrorCode::usage,
           .what = "no weights stand under the key " + key,
           .file = checkpoint.path,
           .hint = keys.empty() ? "It offers no choice; leave --key out" : "It has: " + keys});
    }
  }
  if (candidates.empty()) return {};
  checkpoint.chosen = chosen;
  name_tensors(checkpoint);
  if (candidates.size() > 1) {
    checkpoint.choice_reason =
        key.empty()
            ? shown(candidates[0].key) + " comes first in the usual order; --key takes another"
            : kByKey;
  }
  return {};
}

}  // namespace samebits
