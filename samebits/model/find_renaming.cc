#include "samebits/model/find_renaming.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "samebits/model/name_rules.h"
#include "samebits/model/name_search.h"

namespace samebits::model {
namespace {

/// What a search works on: the tensors that nothing takes as they stand, and the empty places.
struct Search {
  const std::vector<StoredShape>& targets;
  const std::vector<bool>& unfilled;
  const std::vector<StoredShape>& tensors;
  std::vector<bool> unused;  // of `tensors`

  Search(const std::vector<StoredShape>& to, const std::vector<bool>& empty,
         const std::vector<StoredShape>& from)
      : targets(to), unfilled(empty), tensors(from), unused(from.size(), true) {
    std::unordered_set<std::string_view> filled;
    for (std::size_t i = 0; i < to.size(); ++i)
      if (!empty[i]) filled.insert(to[i].name);
    for (std::size_t i = 0; i < from.size(); ++i) unused[i] = !filled.contains(from[i].name);
  }
};

std::vector<Sought> sought(const std::vector<StoredShape>& all, const std::vector<bool>& wanted,
                           bool chunks) {
  std::vector<Sought> out;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!wanted[i]) continue;
    names.push_back(unwrapped(all[i].name));
    out.push_back({.shape = &all[i].shape, .index = i});
  }
  if (chunks) names = without_chunks(names);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].name = std::move(names[i]);
  return out;
}

struct Found {
  Pairs pairs;
  std::vector<std::string> ambiguous;
};

/// Whether all that loads as it stands is moved to a place, and all that is filled stays so.
bool keeps_what_loads(const Search& search, const Pairs& pairs) {
  std::unordered_set<std::size_t> filled;
  for (const auto& [tensor, target] : pairs) filled.insert(target);
  for (std::size_t i = 0; i < search.targets.size(); ++i)
    if (!search.unfilled[i] && !filled.contains(i)) return false;
  for (std::size_t i = 0; i < search.tensors.size(); ++i)
    if (!search.unused[i] && !pairs.contains(i)) return false;
  return true;
}

std::size_t count_restored(const Search& search, const Pairs& pairs) {
  return static_cast<std::size_t>(
      std::ranges::count_if(pairs, [&](const auto& pair) { return search.unfilled[pair.second]; }));
}

/// `chunks`: blocks in chunks are counted through on both sides.
Found search_names(const Search& search, bool chunks) {
  std::vector<Sought> from = sought(search.tensors, search.unused, chunks);
  std::vector<Sought> to = sought(search.targets, search.unfilled, chunks);
  Found found;
  pair_equal_names(from, to, found.pairs);
  pair_by_changes(from, to, found.pairs, found.ambiguous);
  return found;
}

/// Blocks in their order, whatever their numbers: 1 to 4 where 0 to 3 are wanted. What loads as it
/// stands moves with the rest of its list. Nothing where this fills no more than names as they are.
Found search_ranks(const Search& search) {
  const auto names = [](const std::vector<StoredShape>& all) {
    std::vector<std::string> out;
    for (const StoredShape& each : all) out.push_back(unwrapped(each.name));
    return out;
  };
  const std::vector<std::string> own = names(search.tensors), wanted = names(search.targets);
  const std::vector<std::string> from_names = with_ranks(own), to_names = with_ranks(wanted);
  if (from_names == own && to_names == wanted) return {};
  const auto sought_as = [](const std::vector<StoredShape>& all,
                            const std::vector<std::string>& by) {
    std::vector<Sought> out;
    for (std::size_t i = 0; i < all.size(); ++i)
      out.push_back({.name = by[i], .shape = &all[i].shape, .index = i});
    return out;
  };
  std::vector<Sought> from = sought_as(search.tensors, from_names);
  std::vector<Sought> to = sought_as(search.targets, to_names);
  Found found;
  pair_equal_names(from, to, found.pairs);
  pair_by_changes(from, to, found.pairs, found.ambiguous);
  return keeps_what_loads(search, found.pairs) ? found : Found{};
}

/// Names that are numbers alone, in the order of the target's tensors.
Found search_order(const Search& search) {
  std::vector<std::string> names;
  for (const StoredShape& tensor : search.tensors) names.push_back(tensor.name);
  const std::vector<std::size_t> positions = positions_in(names);
  if (positions.empty() || names.size() != search.targets.size()) return {};
  Found found;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (search.tensors[i].shape != search.targets[positions[i]].shape) return {};
    found.pairs.emplace(i, positions[i]);
  }
  return found;
}

/// What fits must be a good part of one of the sides: a few tensors that happen to fit say nothing
/// about two models that have nothing to do with each other.
bool related(const Search& search, std::size_t restored) {
  const auto filled = static_cast<std::size_t>(std::ranges::count(search.unfilled, false));
  const std::size_t smaller = std::min(search.targets.size(), search.tensors.size());
  return 2 * (filled + restored) >= smaller;
}

/// A rule for each name, where no shorter ones are right: names that are an order alone.
std::vector<RenameRule> rules_for_each(const std::vector<NamePair>& names) {
  constexpr std::size_t kMost = 64;
  std::vector<RenameRule> rules;
  if (names.size() > kMost) return rules;
  for (const NamePair& pair : names)
    rules.push_back({.from = pair.from, .to = pair.to, .count = 1});
  std::ranges::stable_sort(rules, [](const RenameRule& a, const RenameRule& b) {
    return a.from.size() > b.from.size();
  });
  return rules;
}

/// All renamings as pairs of names; what loads as it stands must go on to do so, and what goes
/// nowhere must not land on a target. One that has another shape raises there, as it should.
std::vector<RenameRule> rules_of_pairs(const Search& search, const Pairs& pairs) {
  std::vector<NamePair> names;
  std::unordered_map<std::string, const Shape*> wanted;
  for (const StoredShape& target : search.targets) wanted.emplace(target.name, &target.shape);
  std::unordered_set<std::string> taken;
  for (const auto& [tensor, target] : pairs) taken.insert(search.targets[target].name);
  for (std::size_t i = 0; i < search.tensors.size(); ++i) {
    const auto pair = pairs.find(i);
    const std::string& name = search.tensors[i].name;
    if (pair != pairs.end()) names.push_back({name, search.targets[pair->second].name});
    if (pair == pairs.end() && !search.unused[i]) names.push_back({name, name});
  }
  std::vector<RenameRule> rules = rules_for_names(names);
  if (rules.empty()) rules = rules_for_each(names);
  bool lands = false;
  for (std::size_t i = 0; i < search.tensors.size(); ++i) {
    if (pairs.contains(i) || !search.unused[i]) continue;
    const std::string& name = search.tensors[i].name;
    const std::string renamed = apply_rules(rules, name);
    const auto place = wanted.find(renamed);
    if (renamed != name && place != wanted.end() &&
        (taken.contains(renamed) || *place->second == search.tensors[i].shape)) {
      names.push_back({name, name});
      lands = true;
    }
  }
  return lands ? rules_for_names(names) : rules;
}

Repair repair_of(const Search& search, const Pairs& pairs) {
  Repair repair;
  repair.rules = rules_of_pairs(search, pairs);
  if (repair.rules.empty()) return {};
  std::vector<bool> restored(search.targets.size());
  for (const auto& [tensor, target] : pairs) restored[target] = true;
  for (std::size_t i = 0; i < restored.size(); ++i)
    if (restored[i] && search.unfilled[i]) repair.restored.push_back(search.targets[i].name);
  return repair;
}

/// Where both sides are models of the ViT family, under whatever library's names.
Repair repair_in_family(const Search& search) {
  const auto from = recognize(search.tensors), to = recognize(search.targets);
  if (!from || !to) return {};
  std::vector<TensorSpec> specs;
  for (const StoredShape& target : search.targets)
    specs.push_back({.name = target.name, .shape = target.shape});
  for (const Piece& piece : to->pieces)
    if (piece.parts == 1) specs[piece.tensor].role = piece.role;
  std::vector<TensorSpec> known;
  std::vector<bool> unfilled;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].role.empty()) continue;
    known.push_back(std::move(specs[i]));
    unfilled.push_back(search.unfilled[i]);
  }
  return suggest_repair(known, unfilled, *from, search.tensors);
}

}  // namespace

Renaming find_renaming(const std::vector<StoredShape>& targets, const std::vector<bool>& unfilled,
                       const std::vector<StoredShape>& tensors) {
  Renaming renaming;
  if (std::max(targets.size(), tensors.size()) > kMostSearched) return renaming;
  renaming.searched = true;
  const Search search(targets, unfilled, tensors);
  Found best = search_names(search, false);
  Found counted = search_names(search, true);
  if (counted.pairs.size() > best.pairs.size()) best = std::move(counted);
  for (const auto& search_whole : {search_ranks, search_order}) {
    Found whole = search_whole(search);
    const std::size_t restored = count_restored(search, whole.pairs);
    if (restored > 0 && restored >= best.pairs.size()) best = std::move(whole);
  }
  if (!best.pairs.empty() && related(search, count_restored(search, best.pairs))) {
    renaming.repair = repair_of(search, best.pairs);
    renaming.ambiguous = std::move(best.ambiguous);
  }
  Repair family = repair_in_family(search);
  if (family.restored.size() > renaming.repair.restored.size() &&
      related(search, family.restored.size())) {
    renaming.repair = std::move(family);
    renaming.ambiguous.clear();
  }
  return renaming;
}

}  // namespace samebits::model
