#include "samebits/model/repair.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "samebits/model/name_rules.h"

namespace samebits::model {
namespace {

using Names = std::pair<std::string, std::string>;  // templates: in the file, in the target

/// "3" of "3:query.weight"; -1 outside blocks.
std::int64_t block_of(std::string_view role) {
  const std::size_t colon = role.find(':');
  if (colon > 4) return -1;  // npos too
  std::int64_t n = 0;
  for (const char c : role.substr(0, colon)) {
    if (c < '0' || c > '9') return -1;
    n = n * 10 + (c - '0');
  }
  return n;
}

std::string templated(std::string_view name, std::int64_t n) {
  std::string text(name);
  if (n < 0) return text;
  if (const auto at = find_block_number(name, n)) text.replace(at->first, at->second, "{n}");
  return text;
}

/// The role with another tensor's name in it: "3:qkv.weight" for "3:query.weight".
std::string with_leaf(std::string_view role, std::string_view leaf, std::string_view other) {
  const std::size_t dot = role.rfind('.');
  if (dot == std::string_view::npos) return {};
  const std::string_view head = role.substr(0, dot);
  const std::size_t colon = head.rfind(':');
  const std::size_t at = colon == std::string_view::npos ? 0 : colon + 1;
  if (head.substr(at) != leaf) return {};
  return std::string(role.substr(0, at)) + std::string(other) + std::string(role.substr(dot));
}

using ByRole = std::unordered_map<std::string, Piece>;

/// The pieces that make a role through a fusion, in either direction.
Source through_fusion(const std::string& role, const ByRole& by_role) {
  const auto find = [&](const std::string& name) { return by_role.find(name); };
  for (const Fusion& fusion : fusions()) {
    Source stacked;
    for (std::size_t i = 0; i < fusion.parts.size(); ++i) {
      if (const auto whole = find(with_leaf(role, fusion.parts[i], fusion.whole));
          whole != by_role.end() && whole->second.parts == 1)
        return {{.role = role,
                 .tensor = whole->second.tensor,
                 .part = static_cast<std::int64_t>(i),
                 .parts = static_cast<std::int64_t>(fusion.parts.size())}};
      if (const auto part = find(with_leaf(role, fusion.whole, fusion.parts[i]));
          part != by_role.end())
        stacked.push_back(part->second);
    }
    if (!stacked.empty() && stacked.size() == fusion.parts.size()) return stacked;
  }
  return {};
}

/// True where the pieces, stacked, have the target's shape.
bool fits(const Source& source, const Shape& wanted, const std::vector<StoredShape>& tensors) {
  std::int64_t rows = 0;
  for (const Piece& piece : source) {
    const Shape& shape = tensors[piece.tensor].shape;
    if (shape.size() != wanted.size()) return false;
    for (std::size_t i = 1; i < shape.size(); ++i)
      if (wanted[i] >= 0 && wanted[i] != shape[i]) return false;
    if (shape.empty()) return true;
    if (shape[0] % piece.parts != 0 || __builtin_add_overflow(rows, shape[0] / piece.parts, &rows))
      return false;
  }
  return wanted.empty() || wanted[0] < 0 || wanted[0] == rows;
}

/// `from` and `to` without the parts between dots that they end with in common. A rule that adds or
/// takes away a prefix is left only for the `prefixes` that stand before whole models: any other
/// would say more than is known.
Names without_common_end(const Names& names, const std::vector<std::string>& prefixes) {
  const auto& [from, to] = names;
  const std::size_t common = common_end(from, to);
  Names rest = {from.substr(0, from.size() - common), to.substr(0, to.size() - common)};
  const bool one_empty = rest.first.empty() || rest.second.empty();
  if (one_empty && std::ranges::find(prefixes, rest.first + rest.second) == prefixes.end())
    return names;
  return rest;
}

/// What may stand before a whole model: the prefix in the file, a base model's name, or both.
std::vector<std::string> known_prefixes(const Recognition& recognition) {
  std::vector<std::string> prefixes = {recognition.prefix};
  for (const ModelClass& model_class : classes())
    if (!model_class.base.empty()) prefixes.push_back(std::string(model_class.base) + ".");
  prefixes.push_back(recognition.prefix + std::string(recognition.model_class->base) + ".");
  return prefixes;
}

void add_rule(std::vector<RenameRule>& rules, const Names& names) {
  const bool stands =
      std::ranges::any_of(rules, [&](const RenameRule& rule) { return rule.from == names.first; });
  if (!stands) rules.push_back({.from = names.first, .to = names.second});
}

void order(std::vector<RenameRule>& rules) {
  std::ranges::stable_sort(rules, [](const RenameRule& a, const RenameRule& b) {
    return a.from.size() > b.from.size();
  });
}

std::size_t rule_for(const std::vector<RenameRule>& rules, std::string_view name) {
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (std::string renamed; rename(rules[i], name, &renamed)) return i;
  return rules.size();
}

/// Few rules where they suffice, whole names where shorter rules would hit the wrong tensors.
std::vector<RenameRule> rules_for(const std::vector<Names>& renames,
                                  const std::vector<Names>& templates,
                                  const std::vector<std::string>& prefixes) {
  std::vector<RenameRule> rules;
  for (const Names& names : templates)
    if (names.first != names.second) add_rule(rules, without_common_end(names, prefixes));
  order(rules);
  std::vector<RenameRule> exceptions;
  for (std::size_t i = 0; i < renames.size(); ++i)
    if (apply_rules(rules, renames[i].first) != renames[i].second)
      add_rule(exceptions, templates[i]);
  rules.insert(rules.end(), exceptions.begin(), exceptions.end());
  order(rules);
  for (const Names& names : renames)
    if (const std::size_t at = rule_for(rules, names.first); at < rules.size()) ++rules[at].count;
  std::erase_if(rules, [](const RenameRule& rule) { return rule.count == 0; });
  return rules;
}

class RefitCollector {
 public:
  void add(std::vector<std::string> from, std::vector<std::string> to) {
    for (Refit& refit : refits_)
      if (refit.from == from && refit.to == to) {
        ++refit.count;
        return;
      }
    refits_.push_back({.from = std::move(from), .to = std::move(to), .count = 1});
  }
  std::vector<Refit> take() { return std::move(refits_); }

 private:
  std::vector<Refit> refits_;
};

/// The targets of the pieces of one tensor.
struct Cut {
  std::string from;
  std::vector<std::pair<std::int64_t, std::string>> to;  // by part
};

struct Plan {
  std::vector<Names> renames, templates;  // side by side
  std::map<std::size_t, Cut> cuts;        // by tensor
  RefitCollector refits;
};

void plan_target(const TensorSpec& target, const Source& source,
                 const std::vector<StoredShape>& tensors, Plan& plan) {
  const std::int64_t n = block_of(target.role);
  const std::string to = templated(target.name, n);
  const Piece& first = source.front();
  if (source.size() > 1) {
    std::vector<std::string> from;
    for (const Piece& piece : source) from.push_back(templated(tensors[piece.tensor].name, n));
    plan.refits.add(std::move(from), {to});
  } else if (first.parts > 1) {
    Cut& cut = plan.cuts[first.tensor];
    cut.from = templated(tensors[first.tensor].name, n);
    cut.to.emplace_back(first.part, to);
  } else {
    plan.renames.emplace_back(tensors[first.tensor].name, target.name);
    plan.templates.emplace_back(templated(tensors[first.tensor].name, n), to);
  }
}

}  // namespace

std::string apply_rules(const std::vector<RenameRule>& rules, std::string_view name) {
  std::string renamed;
  for (const RenameRule& rule : rules)
    if (rename(rule, name, &renamed)) return renamed;
  return std::string(name);
}

std::vector<Source> sources_of(const std::vector<TensorSpec>& targets,
                               const Recognition& recognition,
                               const std::vector<StoredShape>& tensors) {
  ByRole by_role;
  for (const Piece& piece : recognition.pieces) by_role.emplace(piece.role, piece);
  std::vector<Source> sources;
  for (const TensorSpec& target : targets) {
    const auto direct = by_role.find(target.role);
    Source source =
        direct != by_role.end() ? Source{direct->second} : through_fusion(target.role, by_role);
    if (!fits(source, target.shape, tensors)) source.clear();
    sources.push_back(std::move(source));
  }
  return sources;
}

Repair suggest_repair(const std::vector<TensorSpec>& targets, const std::vector<bool>& unfilled,
                      const Recognition& recognition, const std::vector<StoredShape>& tensors) {
  const std::vector<Source> sources = sources_of(targets, recognition, tensors);
  Repair repair;
  Plan plan;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (sources[i].empty()) continue;
    if (unfilled[i]) repair.restored.push_back(targets[i].name);
    plan_target(targets[i], sources[i], tensors, plan);
  }
  if (repair.restored.empty()) return {};
  for (auto& [tensor, cut] : plan.cuts) {
    std::ranges::sort(cut.to);
    std::vector<std::string> to;
    for (auto& [part, name] : cut.to) to.push_back(std::move(name));
    plan.refits.add({std::move(cut.from)}, std::move(to));
  }
  repair.rules = rules_for(plan.renames, plan.templates, known_prefixes(recognition));
  repair.refits = plan.refits.take();
  return repair;
}

}  // namespace samebits::model
