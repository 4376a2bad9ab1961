// Modules of constants only, as fresh norms are: which of them is which shows in nothing, and where
// all else has a partner it makes no difference.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

/// What a constant tensor is but for its name.
struct ConstantKey {
  DType dtype;
  Shape shape;
  std::vector<std::uint8_t> element;
  auto operator<=>(const ConstantKey&) const = default;
};

/// A module's tensors by the last piece of their names, and the numbers in front of it.
struct ModuleKey {
  std::vector<std::string> numbers;
  std::map<std::string, ConstantKey> leaves;
  auto operator<=>(const ModuleKey&) const = default;
};
using ModulesOfOneKind = std::map<ModuleKey, std::vector<std::string>>;

/// The modules without any partner, by what they hold and, with `numbered`, by their numbers.
/// Nothing where a tensor without a partner is not constant, or is not of a module of two tensors
/// and more that has none.
std::optional<ModulesOfOneKind> left_modules(const WeightSet& set,
                                             const std::vector<std::uint32_t>& free,
                                             bool numbered) {
  std::map<std::string, ModuleKey> modules;
  for (const std::uint32_t i : free) {
    if (!set[i].readable || set[i].view.numel() == 0 || !set.is_constant(i)) return std::nullopt;
    const std::string module = module_of(set[i].name);
    std::vector<std::uint8_t> buffer;
    const Bytes element = set[i].view.row_major_range(0, 1, buffer);
    ModuleKey& key = modules[module];
    if (numbered) key.numbers = name_numbers(module);
    key.leaves[leaf_of(set[i].name)] = {
        set[i].view.dtype(), set[i].view.shape(), {element.begin(), element.end()}};
  }
  std::map<std::string, std::size_t> sizes;
  for (const NamedTensor& tensor : set.tensors()) ++sizes[module_of(tensor.name)];
  ModulesOfOneKind found;
  for (auto& [module, key] : modules) {
    if (key.leaves.size() < 2 || key.leaves.size() != sizes[module]) return std::nullopt;
    found[std::move(key)].push_back(module);
  }
  return found;
}

/// The most alike by name first; the others in the order of their names.
std::vector<std::pair<std::string, std::string>> pair_modules(const std::vector<std::string>& a,
                                                              const std::vector<std::string>& b,
                                                              WorkBudget* budget) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::set<std::uint32_t> used_a;
  std::set<std::uint32_t> used_b;
  const auto use = [&](std::uint32_t i, std::uint32_t j) {
    if (used_a.contains(i) || used_b.contains(j)) return;
    used_a.insert(i);
    used_b.insert(j);
    pairs.emplace_back(a[i], b[j]);
  };
  const AlikePairs alike = alike_pairs({a.begin(), a.end()}, {b.begin(), b.end()}, 0, budget);
  for (const AlikePair& each : alike.pairs) use(each.a, each.b);
  std::uint32_t j = 0;
  for (std::uint32_t i = 0; i < a.size(); ++i) {
    if (used_a.contains(i)) continue;
    while (used_b.contains(j)) ++j;
    use(i, j);
  }
  return pairs;
}

/// False where the modules that are left on both sides are not the same.
bool match_left_modules(AlignmentState& state, bool numbered) {
  const auto a = left_modules(state.a(), state.all_free_a(), numbered);
  const auto b = left_modules(state.b(), state.all_free_b(), numbered);
  if (!a || !b || a->size() != b->size()) return false;
  for (const auto& [key, modules] : *a) {
    const auto other = b->find(key);
    if (other == b->end() || other->second.size() != modules.size()) return false;
  }
  for (const auto& [key, modules] : *a) {
    for (const auto& [left, right] : pair_modules(modules, b->at(key), &state.names_left)) {
      for (const auto& [leaf, constant] : key.leaves)
        state.match(Link{*state.a().find(left + leaf), *state.b().find(right + leaf)},
                    MatchKind::renamed);
    }
  }
  return true;
}

}  // namespace

void match_constant_modules(AlignmentState& state) {
  const std::vector<std::uint32_t> free = state.all_free_a();
  if (free.empty() || free.size() != state.all_free_b().size()) return;
  const bool all_constant = std::ranges::all_of(
      state.matches(), [&](const TensorMatch& match) { return state.a().is_constant(match.a[0]); });
  if (all_constant) return;
  // Two versions of a class may number its modules otherwise.
  if (!match_left_modules(state, true)) match_left_modules(state, false);
}

}  // namespace samebits
