#include "samebits/explain/adapter_beside.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/shards.h"
#include "samebits/explain/subjects.h"

namespace samebits {

std::optional<Subject> adapter_beside(Report& report, const Subject& subject) {
  const Checkpoint& whole = *subject.checkpoint;
  constexpr std::string_view kAdapterFile = "adapter_model.";
  if (!whole.adapter.is_object() || whole.weights().key.starts_with(kAdapterFile))
    return std::nullopt;
  const auto file = std::ranges::find_if(whole.candidates, [&](const Candidate& candidate) {
    return candidate.key.starts_with(kAdapterFile);
  });
  if (file == whole.candidates.end()) return std::nullopt;
  Result<Checkpoint> opened = open_checkpoint(subject.path, {.key = file->key});
  if (!opened) {
    add_gap(report, to_string(opened.error()), Gap::blocking);
    return std::nullopt;
  }
  Subject adapter;
  adapter.label = subject.label;
  adapter.path = subject.path;
  adapter.checkpoint = *std::move(opened);
  return adapter;
}

void compare_adapters_beside(Report& report, const WeightPair& pair, const Subject& in_a,
                             const Subject& in_b) {
  std::map<std::string, const StoredTensor*> others;
  for (const std::uint32_t index : in_b.checkpoint->weights().weights)
    others[in_b.checkpoint->entries[index].name] = &in_b.checkpoint->entries[index];
  std::vector<std::string> unlike;
  for (const std::uint32_t index : in_a.checkpoint->weights().weights) {
    const StoredTensor& tensor = in_a.checkpoint->entries[index];
    const auto other = others.find(tensor.name);
    if (other == others.end() || !have_equal_values(tensor, *other->second))
      unlike.push_back(tensor.name);
    if (other != others.end()) others.erase(other);
  }
  for (const auto& [name, tensor] : others) unlike.push_back(name);
  if (unlike.empty()) return;
  Finding finding{.cause = "weights.adapted",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format("the adapters beside the weights differ: {}", some_of(unlike));
  finding.evidence = {{"count", unlike.size()}, {"tensors", name_list(unlike)}};
  finding.remedy = "Put the same adapter beside both, or none";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
