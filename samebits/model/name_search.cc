#include "samebits/model/name_search.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>

namespace samebits::model {
namespace {

using Words = std::vector<std::string>;

// torch.nn.DataParallel and DistributedDataParallel, torch.optim.swa_utils.AveragedModel and
// DeepSpeed ("module"); torch.compile; FSDP; activation checkpointing; Lightning Fabric.
constexpr std::array<std::string_view, 9> kWrappers = {
    "module",          "base_layer",
    "_orig_mod",       "_fsdp_wrapped_module",
    "_fpw_module",     "_checkpoint_wrapped_module",
    "_forward_module", "_original_module",
    "_ddp_module"};

// Names that libraries give to the layer that classifies.
constexpr std::array<std::string_view, 10> kHeads = {
    "fc",      "head",   "heads",       "classifier", "heads.head",
    "head.fc", "fc_out", "last_linear", "score",      "classification_head"};

constexpr std::size_t kMostChanges = 4096;

Words parts_in(std::string_view name) {
  Words parts;
  for (std::size_t at = 0;;) {
    const std::size_t dot = name.find('.', at);
    parts.emplace_back(name.substr(at, dot == std::string_view::npos ? dot : dot - at));
    if (dot == std::string_view::npos) return parts;
    at = dot + 1;
  }
}

std::string joined(const Words& parts, std::size_t begin, std::size_t end) {
  std::string name;
  for (std::size_t i = begin; i < end; ++i) name += (i == begin ? "" : ".") + parts[i];
  return name;
}

bool is_number(std::string_view part) {
  return !part.empty() && part.size() < 7 &&
         part.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Numbers as "#": changes that are alike in every block are one change.
std::string pattern_of(std::string_view part) { return is_number(part) ? "#" : std::string(part); }

/// Behind these parts, `taken` becomes `put`.
struct Change {
  Words before, taken, put;
  auto operator<=>(const Change&) const = default;
};

/// The change between two names whose ends are alike.
Change change_between(const Words& from, const Words& to) {
  std::size_t end = 0;
  while (end < from.size() && end < to.size() &&
         from[from.size() - 1 - end] == to[to.size() - 1 - end])
    ++end;
  std::size_t begin = 0;
  while (begin + end < from.size() && begin + end < to.size() && from[begin] == to[begin]) ++begin;
  const auto part = [](const Words& parts, std::size_t first, std::size_t last) {
    return Words(parts.begin() + static_cast<std::ptrdiff_t>(first),
                 parts.begin() + static_cast<std::ptrdiff_t>(last));
  };
  Change change = {.before = part(from, 0, begin),
                   .taken = part(from, begin, from.size() - end),
                   .put = part(to, begin, to.size() - end)};
  for (std::string& text : change.before) text = pattern_of(text);
  return change;
}

std::optional<std::string> changed(const Change& change, const Words& name) {
  const std::size_t at = change.before.size();
  const std::size_t rest = at + change.taken.size();
  if (name.size() <= rest) return std::nullopt;
  for (std::size_t i = 0; i < at; ++i)
    if (pattern_of(name[i]) != change.before[i]) return std::nullopt;
  for (std::size_t i = 0; i < change.taken.size(); ++i)
    if (name[at + i] != change.taken[i]) return std::nullopt;
  Words out(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(at));
  out.insert(out.end(), change.put.begin(), change.put.end());
  out.insert(out.end(), name.begin() + static_cast<std::ptrdiff_t>(rest), name.end());
  return joined(out, 0, out.size());
}

/// Names and shapes that are left on both sides.
struct Rest {
  std::vector<Sought>& tensors;
  std::vector<Sought>& targets;
  std::vector<Words> tensor_parts, target_parts;
  std::unordered_map<std::string, std::size_t> places;  // targets by name

  Rest(std::vector<Sought>& a, std::vector<Sought>& b) : tensors(a), targets(b) {
    for (const Sought& tensor : a) tensor_parts.push_back(parts_in(tensor.name));
    for (std::size_t i = 0; i < b.size(); ++i) {
      target_parts.push_back(parts_in(b[i].name));
      places.emplace(b[i].name, i);
    }
  }
};

/// One tensor for every pattern of names, so that blocks count once.
std::vector<std::size_t> one_of_each(const std::vector<Words>& names) {
  std::set<std::string> seen;
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string pattern;
    for (const std::string& part : names[i]) pattern += pattern_of(part) + ".";
    if (seen.insert(pattern).second) kept.push_back(i);
  }
  return kept;
}

std::set<Change> changes_of(const Rest& rest) {
  std::map<std::pair<std::string, Shape>, std::vector<std::size_t>> by_leaf;
  for (const std::size_t i : one_of_each(rest.tensor_parts))
    by_leaf[{rest.tensor_parts[i].back(), *rest.tensors[i].shape}].push_back(i);
  std::set<Change> changes;
  for (const std::size_t j : one_of_each(rest.target_parts)) {
    const auto found = by_leaf.find({rest.target_parts[j].back(), *rest.targets[j].shape});
    if (found == by_leaf.end()) continue;
    for (const std::size_t i : found->second) {
      if (changes.size() >= kMostChanges) return changes;
      changes.insert(change_between(rest.tensor_parts[i], rest.target_parts[j]));
    }
  }
  return changes;
}

/// What a change is worth.
struct Outcome {
  std::vector<std::pair<std::size_t, std::size_t>> hits;     // places in Rest
  std::vector<std::pair<std::size_t, std::size_t>> misfits;  // likewise, of unlike shapes
  std::size_t clashes = 0;                                   // misfits, or one target twice
  std::size_t moved = 0;                                     // names that it changes
};

Outcome outcome_of(const Change& change, const Rest& rest) {
  Outcome outcome;
  std::set<std::size_t> taken;
  for (std::size_t i = 0; i < rest.tensors.size(); ++i) {
    const auto name = changed(change, rest.tensor_parts[i]);
    if (!name) continue;
    ++outcome.moved;
    const auto place = rest.places.find(*name);
    if (place == rest.places.end()) continue;
    const bool fits = *rest.targets[place->second].shape == *rest.tensors[i].shape;
    if (!fits) outcome.misfits.emplace_back(i, place->second);
    if (fits && taken.insert(place->second).second)
      outcome.hits.emplace_back(i, place->second);
    else
      ++outcome.clashes;
  }
  return outcome;
}

/// Targets that stand where the change puts what it moves.
std::size_t wanted_by(const Change& change, const Rest& rest) {
  const Change back = {.before = change.before, .taken = change.put, .put = {}};
  return static_cast<std::size_t>(std::ranges::count_if(
      rest.target_parts, [&](const Words& name) { return changed(back, name).has_value(); }));
}

bool is_head(const Words& parts) {
  return std::ranges::find(kHeads, joined(parts, 0, parts.size())) != kHeads.end();
}

/// The modules whose tensors are hit: names without their last part.
std::size_t modules_hit(const Outcome& outcome, const Rest& rest) {
  std::set<std::string> modules;
  for (const auto& [tensor, target] : outcome.hits) {
    const Words& parts = rest.target_parts[target];
    modules.insert(joined(parts, 0, parts.size() - 1));
  }
  return modules.size();
}

/// Parts more or less are believed where what they lead to fits; another name for a subtree only
/// where the whole subtree is alike, or where both are names of classifiers.
bool believed(const Change& change, const Outcome& outcome, const Rest& rest) {
  if (outcome.hits.empty() || outcome.clashes >= outcome.hits.size()) return false;
  const std::size_t wanted = wanted_by(change, rest);
  if (change.taken.empty() || change.put.empty())
    return 2 * outcome.hits.size() >= std::min(wanted, outcome.moved);
  if (is_head(change.taken) && is_head(change.put)) return outcome.hits.size() == wanted;
  return modules_hit(outcome, rest) >= 3 && 10 * outcome.hits.size() >= 9 * wanted &&
         10 * outcome.hits.size() >= 9 * outcome.moved;
}

template <typename Drop>
void erase_places(std::vector<Sought>& from, const Drop& dropped) {
  std::vector<Sought> kept;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (!dropped.contains(i)) kept.push_back(std::move(from[i]));
  from = std::move(kept);
}

/// What has the name of a target and another shape belongs there, and to no other target that it
/// happens to fit.
void take(const Outcome& outcome, std::vector<Sought>& tensors, std::vector<Sought>& targets,
          Pairs& pairs) {
  std::set<std::size_t> gone_tensors, gone_targets;
  for (const auto& [tensor, target] : outcome.hits) {
    pairs.emplace(tensors[tensor].index, targets[target].index);
    gone_tensors.insert(tensor);
    gone_targets.insert(target);
  }
  for (const auto& [tensor, target] : outcome.misfits) {
    gone_tensors.insert(tensor);
    gone_targets.insert(target);
  }
  erase_places(tensors, gone_tensors);
  erase_places(targets, gone_targets);
}

/// Longer changes say less: of equal ones the shorter is taken.
std::size_t length_of(const Change& change) {
  return change.taken.size() + change.put.size() + change.before.size();
}

struct Best {
  Change change;
  Outcome outcome;
};

std::optional<Best> best_change(const Rest& rest, std::vector<std::string>& ambiguous) {
  std::optional<Best> best;
  std::vector<std::string> equals;
  for (const Change& change : changes_of(rest)) {
    Outcome outcome = outcome_of(change, rest);
    if (!believed(change, outcome, rest)) continue;
    const std::size_t hits = outcome.hits.size(), before = best ? best->outcome.hits.size() : 0;
    if (hits == before && !change.taken.empty() && change.put == best->change.put &&
        change.taken != best->change.taken && hits > 2)
      equals.push_back(joined(change.taken, 0, change.taken.size()) + ".");
    if (hits < before || (hits == before && length_of(change) >= length_of(best->change))) continue;
    if (hits > before) equals.clear();
    best = Best{change, std::move(outcome)};
  }
  if (best) ambiguous.insert(ambiguous.end(), equals.begin(), equals.end());
  return best;
}

/// Whether two renamings that are alone right could not both be.
bool contradict(const Outcome& a, const Outcome& b) {
  return std::ranges::any_of(a.hits, [&](const auto& x) {
    return std::ranges::any_of(
        b.hits, [&](const auto& y) { return (x.first == y.first) != (x.second == y.second); });
  });
}

/// One to one between two subtrees that nothing else of their lists is in.
bool is_whole_subtree(const Change& change, const Outcome& outcome, const Rest& rest) {
  constexpr std::size_t kFewest = 4;  // tensors
  const std::size_t hits = outcome.hits.size();
  return !change.taken.empty() && !change.put.empty() && hits >= kFewest && outcome.clashes == 0 &&
         hits == outcome.moved && hits == wanted_by(change, rest);
}

/// The largest subtree that has one place alone.
std::optional<Outcome> lone_subtree(const Rest& rest) {
  std::optional<Outcome> best;
  bool alone = true;
  for (const Change& change : changes_of(rest)) {
    Outcome outcome = outcome_of(change, rest);
    if (!is_whole_subtree(change, outcome, rest)) continue;
    const std::size_t hits = outcome.hits.size(), before = best ? best->hits.size() : 0;
    if (hits < before) continue;
    if (hits == before) {
      alone = alone && !contradict(*best, outcome);
      continue;
    }
    best = std::move(outcome);
    alone = true;
  }
  return alone ? best : std::nullopt;
}

/// Numbers of chunks and blocks below one place.
struct Chunked {
  std::set<std::pair<std::int64_t, std::int64_t>> blocks;
  bool all = true;
};

std::int64_t number_of(const std::string& part) { return std::stoll(part); }

}  // namespace

std::string unwrapped(std::string_view name) {
  Words parts = parts_in(name);
  std::string& leaf = parts.back();
  const bool norm = parts.size() > 1 && (parts[parts.size() - 2].find("orm") != std::string::npos);
  if (norm && leaf == "gamma") leaf = "weight";
  if (norm && leaf == "beta") leaf = "bias";
  const std::string last = leaf;
  parts.pop_back();
  std::erase_if(parts, [](const std::string& part) {
    return std::ranges::find(kWrappers, part) != kWrappers.end();
  });
  parts.push_back(last);
  return joined(parts, 0, parts.size());
}

std::vector<std::string> without_chunks(const std::vector<std::string>& names) {
  std::map<std::string, Chunked> places;
  std::vector<Words> split;
  for (const std::string& name : names) split.push_back(parts_in(name));
  for (const Words& parts : split)
    for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
      if (!is_number(parts[i]) || is_number(parts[i - 1])) continue;
      Chunked& place = places[joined(parts, 0, i)];
      const bool two = i + 2 < parts.size() && is_number(parts[i + 1]);
      if (two)
        place.blocks.emplace(number_of(parts[i]), number_of(parts[i + 1]));
      else
        place.all = false;
    }
  std::vector<std::string> out;
  for (Words& parts : split) {
    for (std::size_t i = 1; i + 2 < parts.size(); ++i) {
      const auto place = places.find(joined(parts, 0, i));
      if (place == places.end() || !place->second.all || !is_number(parts[i])) continue;
      const auto& blocks = place->second.blocks;
      const auto block = blocks.find({number_of(parts[i]), number_of(parts[i + 1])});
      parts[i] = std::to_string(std::distance(blocks.begin(), block));
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      break;
    }
    out.push_back(joined(parts, 0, parts.size()));
  }
  return out;
}

std::vector<std::string> with_ranks(const std::vector<std::string>& names) {
  std::map<std::string, std::set<std::int64_t>> lists;
  std::vector<Words> split;
  for (const std::string& name : names) split.push_back(parts_in(name));
  for (const Words& parts : split)
    for (std::size_t i = 0; i + 1 < parts.size(); ++i)
      if (is_number(parts[i])) lists[joined(parts, 0, i)].insert(number_of(parts[i]));
  std::vector<std::string> out;
  for (const Words& parts : split) {
    Words ranked = parts;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (!is_number(parts[i])) continue;
      const auto& list = lists[joined(parts, 0, i)];
      ranked[i] = std::to_string(std::distance(list.begin(), list.find(number_of(parts[i]))));
    }
    out.push_back(joined(ranked, 0, ranked.size()));
  }
  return out;
}

std::vector<std::size_t> positions_in(const std::vector<std::string>& names) {
  std::vector<std::size_t> positions;
  std::set<std::size_t> seen;
  for (std::string_view name : names) {
    if (name.starts_with("arr_")) name.remove_prefix(4);
    if (!is_number(name)) return {};
    positions.push_back(static_cast<std::size_t>(number_of(std::string(name))));
    if (positions.back() >= names.size() || !seen.insert(positions.back()).second) return {};
  }
  return positions;
}

void pair_equal_names(std::vector<Sought>& tensors, std::vector<Sought>& targets, Pairs& pairs) {
  std::map<std::string, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> by_name;
  for (std::size_t i = 0; i < tensors.size(); ++i) by_name[tensors[i].name].first.push_back(i);
  for (std::size_t i = 0; i < targets.size(); ++i) by_name[targets[i].name].second.push_back(i);
  Outcome outcome;
  for (const auto& [name, places] : by_name)
    if (places.first.size() == 1 && places.second.size() == 1)
      (*tensors[places.first[0]].shape == *targets[places.second[0]].shape ? outcome.hits
                                                                           : outcome.misfits)
          .emplace_back(places.first[0], places.second[0]);
  take(outcome, tensors, targets, pairs);
}

void pair_by_changes(std::vector<Sought>& tensors, std::vector<Sought>& targets, Pairs& pairs,
                     std::vector<std::string>& ambiguous) {
  constexpr int kMostRounds = 8;
  for (int round = 0; round < kMostRounds && !tensors.empty() && !targets.empty(); ++round) {
    const Rest rest(tensors, targets);
    if (const auto best = best_change(rest, ambiguous)) {
      take(best->outcome, tensors, targets, pairs);
      continue;
    }
    const auto lone = lone_subtree(rest);
    if (!lone) return;
    take(*lone, tensors, targets, pairs);
  }
}

}  // namespace samebits::model
