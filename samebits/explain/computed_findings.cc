#include "samebits/explain/computed_findings.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/computed_table.h"
#include "samebits/compare/settled_verdict.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr int kDeepestConfig = 4;

/// What a config and the configs in it say of rotary frequencies.
struct RopeFields {
  std::vector<double> bases;
  bool scaled = false;
};

void collect_rope(const Json& config, int depth, RopeFields* found) {
  if (!config.is_object() || depth > kDeepestConfig) return;
  for (const auto& [name, value] : config.items()) {
    // Gemma 3, ModernBERT and GPT-NeoX of transformers 4.57.6 have names of their own.
    const bool is_base =
        name.ends_with("rope_theta") || name == "rope_local_base_freq" || name == "rotary_emb_base";
    if (is_base && value.is_number()) found->bases.push_back(value.get<double>());
    if (name == "rope_scaling" && value.is_object()) found->scaled = true;
    if (name == "rope_type" && value.is_string()) found->scaled |= value != "default";
    collect_rope(value, depth + 1, found);
  }
}

/// Whether a class built from the config computes these frequencies, as far as it says.
bool may_compute(const Json& config, const ComputedTable& table) {
  if (!table.rope_theta) return true;
  RopeFields rope;
  collect_rope(config, 0, &rope);
  if (rope.scaled) return false;
  if (rope.bases.empty()) return true;
  return std::ranges::any_of(
      rope.bases, [&](double base) { return std::abs(base - *table.rope_theta) <= 1e-5 * base; });
}

void settle_side(const Report& report, WeightPair* pair, bool in_a) {
  WeightComparison& comparison = pair->comparison;
  const Checkpoint& own = *subject_of(report, in_a ? pair->a : pair->b).checkpoint;
  const Checkpoint& other = *subject_of(report, in_a ? pair->b : pair->a).checkpoint;
  const std::vector<std::string>& alone = in_a ? comparison.only_a : comparison.only_b;
  const std::set<std::string> names(alone.begin(), alone.end());
  for (const std::uint32_t index : own.weights().weights) {
    const StoredTensor& tensor = own.entries[index];
    if (!tensor.readable || !tensor.identity.empty() || !names.contains(tensor.name)) continue;
    auto table = computed_table(tensor.name, tensor.view);
    if (table && may_compute(other.config, *table))
      comparison.computed.push_back({tensor.name, in_a, std::move(table->what)});
  }
}

/// Counters of batches of norms whose statistics both sides have.
void settle_counters(const Report& report, WeightPair* pair, bool in_a) {
  WeightComparison& comparison = pair->comparison;
  const Subject& own = subject_of(report, in_a ? pair->a : pair->b);
  const std::vector<std::string>& alone = in_a ? comparison.only_a : comparison.only_b;
  if (alone.empty()) return;
  std::set<std::string> shared;
  for (const std::uint32_t index : own.checkpoint->weights().weights)
    shared.insert(own.checkpoint->entries[index].name);
  for (const std::string& name : alone) shared.erase(name);
  const auto is_shared = [&](const std::string& name) { return shared.contains(name); };
  for (const std::string& name : alone)
    if (is_lone_counter(name, is_shared)) comparison.computed.push_back({name, in_a, ""});
}

}  // namespace

bool contradicts_rope(const Json& config, const std::string& name, const TensorView& view) {
  if (!name.ends_with("inv_freq") || view.dtype() != DType::float32 || view.shape().size() != 1 ||
      view.numel() < 2)
    return false;
  RopeFields rope;
  collect_rope(config, 0, &rope);
  if (rope.scaled || rope.bases.empty()) return false;
  const auto table = computed_table("inv_freq", view);
  return !table || !may_compute(config, *table);
}

void settle_computed(const Report& report, WeightPair* pair) {
  for (const bool in_a : {true, false}) {
    settle_side(report, pair, in_a);
    settle_counters(report, pair, in_a);
  }
  if (!pair->comparison.computed.empty()) settle_verdict(&pair->comparison);
}

void note_computed(Report& report, const WeightPair& pair) {
  for (const bool in_a : {true, false}) {
    std::vector<std::string> names;
    std::string what;
    for (const ComputedAlone& table : pair.comparison.computed) {
      if (table.in_a != in_a || table.what.empty()) continue;
      if (names.empty()) what = table.what;
      names.push_back(table.name);
    }
    if (names.empty()) continue;
    Finding finding{.cause = "state.buffers",
                    .role = Role::note,
                    .proof = Proof::observed,
                    .subjects = {pair.a, pair.b}};
    const std::string& holder = in_a ? pair.a : pair.b;
    finding.summary = fmt::format("{} only in {} and {} what a class computes when it is built",
                                  counted(names.size(), "table", "stands", "stand"), holder,
                                  names.size() == 1 ? "holds" : "hold");
    finding.details.push_back(fmt::format("{}: {}", names[0], what));
    finding.evidence = {
        {"count", names.size()}, {"tensors", name_list(names)}, {"side", holder}, {"first", what}};
    add_finding(report, std::move(finding));
  }
}

}  // namespace samebits
