#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/equal_bytes.h"
#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

/// Free tensors of both sides with the same bytes and type.
struct Class {
  std::vector<std::uint32_t> a, b;
};
using SizeKey = std::pair<DType, std::uint64_t>;
using ByteKey = std::tuple<DType, std::uint64_t, Digest128>;

SizeKey size_key(const NamedTensor& tensor) { return {tensor.view.dtype(), tensor.view.nbytes()}; }

// Those that have a possible partner, and one whose bytes are not yet known to differ.
std::map<SizeKey, Class> size_classes(AlignmentState& state) {
  std::map<SizeKey, Class> classes;
  for (const std::uint32_t i : state.all_free_a()) classes[size_key(state.a()[i])].a.push_back(i);
  for (const std::uint32_t i : state.all_free_b()) classes[size_key(state.b()[i])].b.push_back(i);
  std::erase_if(classes, [&](const auto& entry) {
    const Class& found = entry.second;
    if (found.a.empty() || found.b.empty()) return true;
    const NamedTensor& a = state.a()[found.a[0]];
    const NamedTensor& b = state.b()[found.b[0]];
    return found.a.size() == 1 && found.b.size() == 1 && a.name == b.name &&
           a.view.shape() == b.view.shape();
  });
  return classes;
}

std::vector<Class> byte_classes(AlignmentState& state) {
  std::vector<std::uint32_t> wanted_a;
  std::vector<std::uint32_t> wanted_b;
  for (const auto& [key, members] : size_classes(state)) {
    wanted_a.insert(wanted_a.end(), members.a.begin(), members.a.end());
    wanted_b.insert(wanted_b.end(), members.b.begin(), members.b.end());
  }
  state.a().compute_digests(wanted_a, state.threads());
  state.b().compute_digests(wanted_b, state.threads());
  std::map<ByteKey, Class> classes;
  const auto key = [](const WeightSet& set, std::uint32_t i) {
    return std::tuple_cat(size_key(set[i]), std::tuple(*set.digest(i)));
  };
  std::sort(wanted_a.begin(), wanted_a.end());
  std::sort(wanted_b.begin(), wanted_b.end());
  for (const std::uint32_t i : wanted_a) classes[key(state.a(), i)].a.push_back(i);
  for (const std::uint32_t i : wanted_b) classes[key(state.b(), i)].b.push_back(i);
  std::vector<Class> both;
  for (auto& [bytes, members] : classes) {
    if (!members.a.empty() && !members.b.empty()) both.push_back(std::move(members));
  }
  return both;
}

// A digest finds the pair; memory comparison settles it.
void accept(AlignmentState& state, const std::vector<Link>& links) {
  std::vector<BytePair> pairs;
  for (const Link& link : links)
    pairs.push_back({&state.a()[link.a].view, &state.b()[link.b].view});
  const std::vector<bool> equal = equal_bytes(pairs, state.threads());
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = links[i];
    if (!equal[i] || !state.free_a(link.a) || !state.free_b(link.b)) continue;
    const Shape& a = state.a()[link.a].view.shape();
    const Shape& b = state.b()[link.b].view.shape();
    if (a == b) {
      state.match(link, MatchKind::renamed);
    } else {
      state.match(link, MatchKind::rearranged,
                  "reshaped " + shape_text(a) + " to " + shape_text(b));
    }
  }
}

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t index) {
  return std::find(list.begin(), list.end(), index) != list.end();
}

// Where name (of a reshaped tensor) or role already says which.
std::vector<Link> links_by_name_or_role(AlignmentState& state, const std::vector<Class>& classes) {
  std::vector<Link> links;
  for (const Class& members : classes) {
    for (const std::uint32_t a : members.a) {
      const auto b = state.by_name_or_role(a);
      if (b && contains(members.b, *b)) links.push_back({a, *b});
    }
  }
  return links;
}

void match_single(AlignmentState& state, const std::vector<Class>& classes) {
  std::vector<Link> links;
  for (const Class& members : classes) {
    if (members.a.size() != 1 || members.b.size() != 1) continue;
    const Link link{members.a[0], members.b[0]};
    if (!state.free_a(link.a) || !state.free_b(link.b)) continue;
    const auto forward = state.by_name_or_role(link.a);
    const auto back = state.back_by_name_or_role(link.b);
    if (!forward && !back) {
      links.push_back(link);
    } else {
      // Where B has no tensor for A's, B's own name says what was expected there.
      state.misplace({link, forward.value_or(link.b)});
    }
  }
  for (const Misplaced& found : take_misplaced(state.a(), state.b(), &links)) state.misplace(found);
  accept(state, links);
}

void match_by_rules(AlignmentState& state, const std::vector<Class>& classes) {
  state.learn_rules();
  std::vector<Link> links;
  for (const Class& members : classes) {
    for (const std::uint32_t a : members.a) {
      if (!state.free_a(a)) continue;
      const auto b = state.expected(a);
      if (b && contains(members.b, *b)) links.push_back({a, *b});
    }
  }
  accept(state, links);
}

// The pairs of a class, the most alike names first.
std::vector<Link> most_alike(AlignmentState& state, const Class& members) {
  constexpr std::size_t kMostPairs = 250'000;
  std::vector<std::pair<double, Link>> ranked;
  for (const std::uint32_t a : members.a) {
    for (const std::uint32_t b : members.b) {
      if (ranked.size() == kMostPairs) break;
      const bool same_shape = state.a()[a].view.shape() == state.b()[b].view.shape();
      ranked.push_back(
          {affinity(state.a()[a].name, state.b()[b].name) + (same_shape ? 2 : 0), Link{a, b}});
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& x, const auto& y) { return x.first > y.first; });
  std::vector<Link> links;
  std::set<std::uint32_t> used_a;
  std::set<std::uint32_t> used_b;
  for (const auto& [score, link] : ranked) {
    if (used_a.contains(link.a) || used_b.contains(link.b)) continue;
    used_a.insert(link.a);
    used_b.insert(link.b);
    links.push_back(link);
  }
  return links;
}

}  // namespace

void match_same_bytes(AlignmentState& state) {
  const std::vector<Class> classes = byte_classes(state);
  accept(state, links_by_name_or_role(state, classes));
  match_single(state, classes);
  match_by_rules(state, classes);
}

void match_interchangeable(AlignmentState& state) {
  for (Class& members : byte_classes(state)) {
    // A name that both sides have, or a role, speaks for another partner.
    std::erase_if(members.a, [&](std::uint32_t a) { return state.expected(a).has_value(); });
    std::erase_if(members.b,
                  [&](std::uint32_t b) { return state.back_by_name_or_role(b).has_value(); });
    accept(state, most_alike(state, members));
  }
}

}  // namespace samebits
