#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "samebits/base/parallel.h"
#include "samebits/compare/alignment_state.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/equal_bytes.h"
#include "samebits/compare/name_affinity.h"
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

// Digests of a few blocks of each tensor: what they tell apart need not be read whole.
std::vector<Digest128> samples_of(const WeightSet& set, const std::vector<std::uint32_t>& which,
                                  int threads) {
  constexpr std::uint64_t kBlocks = 8;
  constexpr std::uint64_t kBlockElements = 128;
  std::vector<Digest128> samples(which.size());
  parallel_for(which.size(), threads, [&](std::size_t i) {
    const TensorView& view = set[which[i]].view;
    if (view.numel() <= kBlocks * kBlockElements) return;
    std::vector<std::uint8_t> sample;
    std::vector<std::uint8_t> buffer;
    for (std::uint64_t block = 0; block < kBlocks; ++block) {
      const std::uint64_t first = (view.numel() - kBlockElements) / (kBlocks - 1) * block;
      const Bytes bytes = view.row_major_range(first, kBlockElements, buffer);
      sample.insert(sample.end(), bytes.begin(), bytes.end());
    }
    samples[i] = fast_digest(sample);
  });
  return samples;
}

// Leaves out what no tensor of the other side can equal.
void keep_alike(AlignmentState& state, std::vector<std::uint32_t>* a,
                std::vector<std::uint32_t>* b) {
  const std::vector<Digest128> samples_a = samples_of(state.a(), *a, state.threads());
  const std::vector<Digest128> samples_b = samples_of(state.b(), *b, state.threads());
  const auto keys = [](const WeightSet& set, const std::vector<std::uint32_t>& which,
                       const std::vector<Digest128>& samples) {
    std::set<ByteKey> found;
    for (std::size_t i = 0; i < which.size(); ++i)
      found.insert(std::tuple_cat(size_key(set[which[i]]), std::tuple(samples[i])));
    return found;
  };
  const std::set<ByteKey> in_a = keys(state.a(), *a, samples_a);
  const std::set<ByteKey> in_b = keys(state.b(), *b, samples_b);
  const auto keep = [](const WeightSet& set, std::vector<std::uint32_t>* which,
                       const std::vector<Digest128>& samples, const std::set<ByteKey>& other) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < which->size(); ++i) {
      const std::uint32_t index = (*which)[i];
      if (other.contains(std::tuple_cat(size_key(set[index]), std::tuple(samples[i]))))
        (*which)[kept++] = index;
    }
    which->resize(kept);
  };
  keep(state.a(), a, samples_a, in_b);
  keep(state.b(), b, samples_b, in_a);
}

std::vector<Class> byte_classes(AlignmentState& state) {
  std::vector<std::uint32_t> wanted_a;
  std::vector<std::uint32_t> wanted_b;
  for (const auto& [key, members] : size_classes(state)) {
    wanted_a.insert(wanted_a.end(), members.a.begin(), members.a.end());
    wanted_b.insert(wanted_b.end(), members.b.begin(), members.b.end());
  }
  keep_alike(state, &wanted_a, &wanted_b);
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

// A digest finds the pair; memory comparison settles it. Of a constant any reshape is equal, which
// shows nothing.
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
    } else if (!state.a().is_constant(link.a) || same_but_for_ones(a, b)) {
      state.match(link, MatchKind::rearranged,
                  "reshaped " + shape_text(a) + " to " + shape_text(b));
    }
  }
}

bool contains(const std::vector<std::uint32_t>& sorted, std::uint32_t index) {
  return std::binary_search(sorted.begin(), sorted.end(), index);
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

/// Bytes that one tensor of each side has, and no constant.
std::vector<Link> single_links(AlignmentState& state, const std::vector<Class>& classes) {
  std::vector<Link> links;
  for (const Class& members : classes) {
    if (members.a.size() != 1 || members.b.size() != 1) continue;
    const Link link{members.a[0], members.b[0]};
    if (!state.free_a(link.a) || !state.free_b(link.b) || state.a().is_constant(link.a)) continue;
    links.push_back(link);
  }
  return links;
}

void match_kept_blocks(AlignmentState& state, const std::vector<Class>& classes) {
  const KeptBlocks kept = kept_blocks(state, single_links(state, classes));
  accept(state, kept.links);
  std::vector<BytePair> pairs;
  for (const Link& link : kept.constants)
    pairs.push_back({&state.a()[link.a].view, &state.b()[link.b].view});
  const std::vector<bool> equal = equal_bytes(pairs, state.threads());
  std::vector<Link> constants;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TensorView &a = *pairs[i].a, &b = *pairs[i].b;
    if (equal[i] && a.shape() == b.shape() && a.dtype() == b.dtype())
      constants.push_back(kept.constants[i]);
  }
  if (!constants.empty()) state.rematch(constants);
}

void match_single(AlignmentState& state, const std::vector<Class>& classes) {
  match_kept_blocks(state, classes);
  std::vector<Link> links;
  for (const Link& link : single_links(state, classes)) {
    const auto forward = state.by_name_or_role(link.a);
    const auto back = state.back_by_name_or_role(link.b);
    if (!forward && !back) {
      links.push_back(link);
    } else {
      // Where B has no tensor for A's, B's own name says what was expected there.
      state.misplace({link, forward.value_or(link.b)});
    }
  }
  for (const Misplaced& found :
       take_misplaced(state.a(), state.b(), &links, &state.names_unsearched))
    state.misplace(found);
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

/// Pairs the tensors of one class. Any pairing is right, since their bytes are the same: names only
/// say which is the most natural.
class Interchangeable {
 public:
  Interchangeable(AlignmentState& state, const Class& members) : state_(state), members_(members) {}

  std::vector<Link> links() {
    const std::uint64_t every = std::uint64_t{members_.a.size()} * members_.b.size();
    if (every <= kEveryPairOfClass && state_.names_left.take(every)) {
      most_alike();
    } else {
      one_shape_and_numbers();
      in_order(true);
      in_order(false);
    }
    return std::move(links_);
  }

 private:
  static constexpr std::uint64_t kEveryPairOfClass = 1 << 16;

  const NamedTensor& a(std::uint32_t i) const { return state_.a()[i]; }
  const NamedTensor& b(std::uint32_t i) const { return state_.b()[i]; }

  void link(std::uint32_t in_a, std::uint32_t in_b) {
    if (!used_a_.insert(in_a).second) return;
    if (used_b_.insert(in_b).second) {
      links_.push_back({in_a, in_b});
    } else {
      used_a_.erase(in_a);
    }
  }

  void most_alike() {
    NameAffinity names;
    std::vector<std::pair<double, Link>> ranked;
    for (const std::uint32_t i : members_.a) {
      const std::uint32_t name = names.add(a(i).name);
      for (const std::uint32_t j : members_.b) {
        const bool same_shape = a(i).view.shape() == b(j).view.shape();
        const double affinity = names.affinity(name, names.add(b(j).name));
        ranked.push_back({affinity + (same_shape ? 2 : 0), Link{i, j}});
      }
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& x, const auto& y) { return x.first > y.first; });
    for (const auto& [score, each] : ranked) link(each.a, each.b);
  }

  void one_shape_and_numbers() {
    std::map<std::pair<Shape, std::vector<std::string>>, Class> groups;
    for (const std::uint32_t i : members_.a)
      groups[{a(i).view.shape(), name_numbers(a(i).name)}].a.push_back(i);
    for (const std::uint32_t j : members_.b)
      groups[{b(j).view.shape(), name_numbers(b(j).name)}].b.push_back(j);
    for (const auto& [key, group] : groups) {
      std::vector<std::string_view> names_a;
      std::vector<std::string_view> names_b;
      for (const std::uint32_t i : group.a) names_a.push_back(a(i).name);
      for (const std::uint32_t j : group.b) names_b.push_back(b(j).name);
      for (const AlikePair& pair : alike_pairs(names_a, names_b, 0, &state_.names_left).pairs)
        link(group.a[pair.a], group.b[pair.b]);
    }
  }

  void in_order(bool same_shape) {
    std::map<Shape, std::vector<std::uint32_t>> free;  // of B, the first last
    for (auto j = members_.b.rbegin(); j != members_.b.rend(); ++j) {
      if (!used_b_.contains(*j)) free[same_shape ? b(*j).view.shape() : Shape()].push_back(*j);
    }
    for (const std::uint32_t i : members_.a) {
      if (used_a_.contains(i)) continue;
      const auto at = free.find(same_shape ? a(i).view.shape() : Shape());
      if (at == free.end() || at->second.empty()) continue;
      link(i, at->second.back());
      at->second.pop_back();
    }
  }

  AlignmentState& state_;
  const Class& members_;
  std::set<std::uint32_t> used_a_, used_b_;
  std::vector<Link> links_;
};

}  // namespace

void match_same_bytes(AlignmentState& state) {
  const std::vector<Class> classes = byte_classes(state);
  accept(state, links_by_name_or_role(state, classes));
  match_single(state, classes);
  match_by_rules(state, classes);
}

void match_interchangeable(AlignmentState& state) {
  for (Class& members : byte_classes(state)) {
    if (state.a().is_constant(members.a[0])) continue;
    // A name that both sides have, or a role, speaks for another partner.
    std::erase_if(members.a, [&](std::uint32_t a) { return state.expected(a).has_value(); });
    std::erase_if(members.b,
                  [&](std::uint32_t b) { return state.back_by_name_or_role(b).has_value(); });
    accept(state, Interchangeable(state, members).links());
  }
}

}  // namespace samebits
