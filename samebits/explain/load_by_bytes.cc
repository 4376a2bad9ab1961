#include "samebits/explain/load_by_bytes.h"

#include <algorithm>
#include <map>
#include <set>

#include "samebits/compare/alignment.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/name_rules.h"
#include "samebits/model/repair.h"

namespace samebits {
namespace {

std::vector<model::RenameRule> model_rules(const std::vector<RenameRule>& rules) {
  std::vector<model::RenameRule> all;
  for (const RenameRule& rule : rules)
    all.push_back({rule.from, rule.to, static_cast<std::uint32_t>(rule.count)});
  return all;
}

void set_repair(const std::vector<model::RenameRule>& rules, LoadReport& load) {
  load.repair.clear();
  for (const model::RenameRule& rule : rules)
    load.repair.push_back({rule.from, rule.to, rule.count});
}

bool is_refitted(const LoadReport& load, const std::string& name) {
  return std::ranges::any_of(load.refits, [&](const LoadRefit& refit) {
    return std::ranges::any_of(refit.from, [&](const std::string& pattern) {
      return model::is_of_template(name, pattern);
    });
  });
}

/// Of `dropped`, what the repair leads to none of these targets.
std::vector<std::string> leading_elsewhere(const LoadReport& load,
                                           const std::set<std::string>& targets) {
  const std::vector<model::RenameRule> rules = model_rules(load.repair);
  std::vector<std::string> left;
  for (const std::string& name : load.dropped)
    if (!is_refitted(load, name) && !targets.contains(model::apply_rules(rules, name)))
      left.push_back(name);
  return left;
}

/// Whether values of the target show that a renaming by names gives a tensor another one's: GPT-2
/// of code with Linear, whose matrices are the transposed ones of Conv1D, of other names' shapes.
bool contradicts_values(const Checkpoint& source, const LoadList& target, int threads,
                        const LoadReport& load) {
  const std::vector<model::RenameRule> rules = model_rules(load.repair);
  std::map<std::string, std::string> sources;  // by target
  for (const std::uint32_t index : source.weights().weights) {
    const std::string& name = source.entries[index].name;
    const std::string to = model::apply_rules(rules, name);
    if (load.restored.contains(to) && !is_refitted(load, name)) sources[to] = name;
  }
  WeightSet a = weight_set(source, source.weights());
  WeightSet b = weight_set(*target.checkpoint, target.checkpoint->weights());
  return std::ranges::any_of(
      compare_weights(a, b, {.threads = threads}).matches, [&](const TensorMatch& match) {
        const bool shows = match.kind == MatchKind::same || match.kind == MatchKind::renamed ||
                           match.kind == MatchKind::rearranged;
        if (!shows || match.a.size() != 1 || match.b.size() != 1) return false;
        if (is_constant(a[match.a[0]].view)) return false;  // it is like many others
        const auto found = sources.find(b[match.b[0]].name);
        return found != sources.end() &&
               (match.kind == MatchKind::rearranged || found->second != a[match.a[0]].name);
      });
}

/// How many names of the checkpoint the rules lead to each name.
std::map<std::string, std::size_t> count_places(const Checkpoint& source,
                                                const std::vector<model::RenameRule>& rules) {
  std::map<std::string, std::size_t> places;
  for (const std::uint32_t index : source.weights().weights)
    ++places[model::apply_rules(rules, source.entries[index].name)];
  return places;
}

bool has_doubles(const Checkpoint& source, const std::vector<model::RenameRule>& rules) {
  return std::ranges::any_of(count_places(source, rules),
                             [](const auto& place) { return place.second > 1; });
}

/// Rules for these pairs that lead no other tensor of the checkpoint to a place that is taken, as
/// another copy of the weights would be. Empty where there are none.
std::vector<model::RenameRule> rules_without_doubles(const Checkpoint& source,
                                                     std::vector<model::NamePair> pairs) {
  std::vector<model::RenameRule> rules = model::rules_for_names(pairs);
  if (!has_doubles(source, rules)) return rules;
  std::set<std::string> placed;
  for (const model::NamePair& pair : pairs) placed.insert(pair.from);
  for (const std::uint32_t index : source.weights().weights)
    if (const std::string& name = source.entries[index].name; !placed.contains(name))
      pairs.push_back({name, name});
  rules = model::rules_for_names(pairs);
  return has_doubles(source, rules) ? std::vector<model::RenameRule>() : rules;
}

void clear_repair(LoadReport& load) {
  load.repair.clear();
  load.refits.clear();
  load.restored.clear();
}

/// The renaming of a whole checkpoint.
void repair_all(const Checkpoint& source, const LoadList& target, int threads, LoadReport& load) {
  WeightSet a = weight_set(source, source.weights());
  WeightSet b = weight_set(*target.checkpoint, target.checkpoint->weights());
  const std::set<std::string> open = open_targets(load);
  std::vector<model::NamePair> pairs;
  std::set<std::string> restored;
  for (const TensorMatch& match : compare_weights(a, b, {.threads = threads}).matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string &from = a[match.a[0]].name, &to = b[match.b[0]].name;
    if (from != to && match.kind != MatchKind::renamed) continue;
    pairs.push_back({from, to});
    if (from != to && open.contains(to)) restored.insert(to);
  }
  if (2 * restored.size() < open.size() || restored.size() < load.restored.size()) return;
  const std::vector<model::RenameRule> rules = rules_without_doubles(source, pairs);
  if (rules.empty()) return;
  set_repair(rules, load);
  load.restored = std::move(restored);
  load.ambiguous.clear();
}

/// Whether the tensors that `before` gives a place keep it with `all`.
bool keeps_places(const Checkpoint& source, const std::set<std::string>& left,
                  const std::vector<model::RenameRule>& before,
                  const std::vector<model::RenameRule>& all) {
  return std::ranges::all_of(source.weights().weights, [&](std::uint32_t index) {
    const std::string& name = source.entries[index].name;
    return left.contains(name) || model::apply_rules(all, name) == model::apply_rules(before, name);
  });
}

/// More rules for what those of the names leave open.
void repair_rest(const Checkpoint& source, const LoadList& target, int threads, LoadReport& load) {
  const std::vector<std::string> unused = unused_tensors(load);
  const std::set<std::string> left(unused.begin(), unused.end()), open = open_targets(load);
  if (left.empty() || open.empty()) return;
  WeightSet a = some_weights(source, left);
  WeightSet b = some_weights(*target.checkpoint, open);
  std::vector<model::NamePair> pairs;
  for (const TensorMatch& match : compare_weights(a, b, {.threads = threads}).matches)
    if (match.kind == MatchKind::renamed && match.a.size() == 1 && match.b.size() == 1)
      pairs.push_back({a[match.a[0]].name, b[match.b[0]].name});
  std::vector<model::RenameRule> all = model::rules_for_names(pairs);
  if (all.empty()) return;
  const std::vector<model::RenameRule> before = model_rules(load.repair);
  all.insert(all.end(), before.begin(), before.end());
  if (!keeps_places(source, left, before, all) || has_doubles(source, all)) return;
  for (const model::NamePair& pair : pairs) load.restored.insert(pair.to);
  set_repair(all, load);
}

/// "0.parametrizations.weight.original0" for "0.weight_g": torch's two weight_norm() call the
/// length and the direction so. The newer one takes the older names, and not the other way round
/// (torch 2.13.0 nn/utils/parametrizations.py).
std::string newer_weight_norm(const std::string& name) {
  const std::string module = module_of(name), leaf = leaf_of(name);
  for (const auto& [ending, number] : {std::pair("_g", '0'), std::pair("_v", '1')})
    if (leaf.ends_with(ending))
      return module + "parametrizations." + leaf.substr(0, leaf.size() - 2) + ".original" + number;
  return "";
}

void repair_weight_norm(const Checkpoint& source, const LoadList& target, LoadReport& load) {
  const std::set<std::string> dropped(load.dropped.begin(), load.dropped.end());
  std::map<std::string, const Shape*> held;
  for (const std::uint32_t index : source.weights().weights)
    held[source.entries[index].name] = &source.entries[index].view.shape();
  const std::set<std::string> random(load.random.begin(), load.random.end());
  std::vector<model::NamePair> pairs;
  std::set<std::string> restored;
  for (const model::StoredShape& each : target.names) {
    const std::string from = random.contains(each.name) ? newer_weight_norm(each.name) : each.name;
    const auto at = held.find(from);
    if (at == held.end() || *at->second != each.shape) continue;
    pairs.push_back({from, each.name});
    if (from != each.name && dropped.contains(from)) restored.insert(each.name);
  }
  if (restored.empty()) return;
  const std::vector<model::RenameRule> rules = model::rules_for_names(pairs);
  if (rules.empty()) return;
  set_repair(rules, load);
  load.restored = std::move(restored);
}

}  // namespace

std::set<std::string> open_targets(const LoadReport& load) {
  std::set<std::string> open(load.random.begin(), load.random.end());
  open.insert(load.mismatched.begin(), load.mismatched.end());
  std::erase_if(open, [&](const std::string& name) { return load.restored.contains(name); });
  return open;
}

std::vector<std::string> unplaced_tensors(const Checkpoint& source, const LoadReport& load) {
  std::set<std::string> places(load.random.begin(), load.random.end());  // also of another shape
  places.insert(load.mismatched.begin(), load.mismatched.end());
  // What is loaded as it stands may have to make room: blocks that are counted from 1.
  const std::vector<model::RenameRule> rules = model_rules(load.repair);
  const std::set<std::string> dropped(load.dropped.begin(), load.dropped.end());
  for (const std::uint32_t index : source.weights().weights) {
    const std::string& name = source.entries[index].name;
    if (!dropped.contains(name) && model::apply_rules(rules, name) != name) places.insert(name);
  }
  return leading_elsewhere(load, places);
}

std::vector<std::string> unused_tensors(const LoadReport& load) {
  return leading_elsewhere(load, load.restored);
}

void repair_by_bytes(const Checkpoint& source, const LoadList& target, int threads,
                     LoadReport& load) {
  if (!load.searched) return;
  if (load.refits.empty() && has_doubles(source, model_rules(load.repair))) clear_repair(load);
  if (load.restored.empty() && load.ambiguous.empty()) repair_weight_norm(source, target, load);
  if (!target.checkpoint || !target.checkpoint->has_weights()) return;
  // Of several renamings that fit, the one that the values show.
  if (!load.ambiguous.empty()) repair_all(source, target, threads, load);
  if (!load.restored.empty() && contradicts_values(source, target, threads, load)) {
    clear_repair(load);
    return repair_all(source, target, threads, load);
  }
  if (!load.restored.empty()) return repair_rest(source, target, threads, load);
  if (!load.dropped.empty()) repair_all(source, target, threads, load);
}

}  // namespace samebits
