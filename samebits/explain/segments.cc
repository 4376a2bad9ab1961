#include "samebits/explain/segments.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "samebits/explain/change_sums.h"
#include "samebits/explain/quantized_stats.h"
#include "samebits/explain/report.h"
#include "samebits/explain/segment_map.h"

namespace samebits {
namespace {

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

/// A segment, and what its tensors have been.
struct SegmentSums {
  Segment segment;
  bool decoder = false, end = false;
  std::size_t stack = 0;  // in the order in which stacks and modules come
  /// In its stack: the number of A's block, and how many inserted ones stand behind that.
  std::pair<std::int64_t, std::int64_t> order;
  ChangeSums sums;
};

std::vector<std::string> weight_names(const Subject& subject) {
  std::vector<std::string> names;
  const Candidate& candidate = subject.checkpoint->weights();
  names.reserve(candidate.weights.size());
  for (const std::uint32_t entry : candidate.weights)
    names.push_back(subject.checkpoint->entries.at(entry).name);
  return names;
}

class SegmentComparison {
 public:
  SegmentComparison(const Report& report, const WeightPair& pair)
      : pair_(pair),
        names_a_(weight_names(subject_of(report, pair.a))),
        names_b_(weight_names(subject_of(report, pair.b))),
        map_a_(names_a_),
        map_b_(names_b_),
        of_b_(map_b_.places().size(), kNowhere) {}

  std::vector<Segment> run() {
    for (std::size_t i = 0; i < map_a_.places().size(); ++i)
      add_place(map_a_.places()[i], map_a_.shown(i));
    for (const TensorMatch& match : pair_.comparison.matches) add_match(match);
    find_partners();
    add_lone_a();
    add_lone_b();
    add_unreadable();
    return finished();
  }

 private:
  std::size_t add_place(const SegmentPlace& place, const std::string& shown) {
    SegmentSums sums;
    sums.segment.name = shown;
    sums.segment.kind = place.kind;
    sums.segment.number = place.number;
    sums.order = {place.number, 0};
    if (place.kind == SegmentKind::block) {
      sums.segment.stack = place.path;
      if (sums.segment.stack.ends_with('.')) sums.segment.stack.pop_back();
    }
    sums.decoder = place.decoder;
    sums.end = place.end;
    const std::string key = place.kind == SegmentKind::block ? place.path : shown;
    sums.stack = stacks_.try_emplace(key, stacks_.size()).first->second;
    by_name_.try_emplace(shown, sums_.size());
    sums_.push_back(std::move(sums));
    return sums_.size() - 1;
  }

  static void raise(SegmentSums* sums, SegmentStatus status) {
    sums->segment.status = std::max(sums->segment.status, status);
  }

  void add_match(const TensorMatch& match) {
    const SegmentStatus status = status_of_match(match);
    for (const std::uint32_t a : match.a) {
      if (a >= names_a_.size()) continue;
      SegmentSums& sums = sums_[map_a_.of(a)];
      ++sums.segment.tensors;
      raise(&sums, status);
      sums.segment.changed += status == SegmentStatus::identical ? 0 : 1;
      for (const std::uint32_t b : match.b) {
        if (b < names_b_.size() && of_b_[map_b_.of(b)] == kNowhere)
          of_b_[map_b_.of(b)] = map_a_.of(a);
      }
    }
    if (!match.a.empty() && match.a[0] < names_a_.size()) add_numbers(match);
  }

  void add_numbers(const TensorMatch& match) {
    if (!match.stats) return;
    SegmentSums& sums = sums_[map_a_.of(match.a[0])];
    sums.sums.add(match);
    Segment& segment = sums.segment;
    const double relative = match.stats->relative_norm;
    if (!std::isfinite(relative)) {
      ++segment.from_zero;
      return;
    }
    segment.least = std::min(segment.least.value_or(relative), relative);
    segment.most = std::max(segment.most.value_or(relative), relative);
  }

  /// A second name of a tensor that the other side has once is nothing that it lacks.
  std::set<std::string> without_second_names(const std::vector<std::string>& only) const {
    std::set<std::string> lone(only.begin(), only.end());
    for (const TieDifference& tie : pair_.comparison.ties) {
      if (tie.names_a.empty() || tie.names_b.empty()) continue;
      for (const auto& names : {tie.names_a, tie.names_b})
        for (const std::string& name : names) lone.erase(name);
    }
    return lone;
  }

  void add_lone_a() {
    const std::set<std::string> lone = without_second_names(pair_.comparison.only_a);
    for (std::size_t i = 0; i < names_a_.size() && !lone.empty(); ++i) {
      if (!lone.contains(names_a_[i])) continue;
      Segment& segment = sums_[map_a_.of(i)].segment;
      ++segment.tensors;
      ++segment.only_a;
    }
  }

  void add_lone_b() {
    const std::set<std::string> lone = without_second_names(pair_.comparison.only_b);
    for (std::size_t i = 0; i < names_b_.size() && !lone.empty(); ++i) {
      if (!lone.contains(names_b_[i])) continue;
      Segment& segment = sums_[place_of_b(map_b_.of(i))].segment;
      ++segment.tensors;
      ++segment.only_b;
    }
  }

  /// Where a segment of B stands among A's; a block that A has not in the stack of its siblings.
  std::size_t place_of_b(std::size_t segment) {
    if (of_b_[segment] != kNowhere) return of_b_[segment];
    SegmentPlace place = map_b_.places()[segment];
    std::string shown = map_b_.shown(segment);
    const auto sibling = partners_.find(place.path);
    if (place.kind == SegmentKind::block && sibling != partners_.end()) {
      place.path = sibling->second->path;
      place.decoder = sibling->second->decoder;
      shown = place.name();
    }
    auto known = by_name_.find(shown);
    // A's block of that number is another one, where it has a partner of its own.
    if (place.kind == SegmentKind::block && known != by_name_.end() &&
        std::ranges::find(of_b_, known->second) != of_b_.end()) {
      return of_b_[segment] = insert_block(segment, place, shown + " of " + pair_.b);
    }
    const bool is_known =
        known != by_name_.end() && sums_[known->second].segment.kind == place.kind;
    return of_b_[segment] = is_known ? known->second : add_place(place, shown);
  }

  /// A block that B has more, behind the partner of the one in front of it.
  std::size_t insert_block(std::size_t segment, const SegmentPlace& place,
                           const std::string& shown) {
    const SegmentPlace& own = map_b_.places()[segment];
    std::size_t before = kNowhere;
    for (std::size_t i = 0; i < of_b_.size(); ++i) {
      const SegmentPlace& other = map_b_.places()[i];
      const bool in_front = other.kind == SegmentKind::block && other.path == own.path &&
                            other.number < own.number && of_b_[i] != kNowhere;
      if (in_front && (before == kNowhere || map_b_.places()[before].number < other.number))
        before = i;
    }
    const std::size_t added = add_place(place, shown);
    sums_[added].segment.inserted = true;
    sums_[added].order = {-1, 1};
    if (before != kNowhere) {
      sums_[added].order = sums_[of_b_[before]].order;
      ++sums_[added].order.second;
    }
    return added;
  }

  /// To each stack of B the stack of A that holds its blocks' partners.
  void find_partners() {
    for (std::size_t i = 0; i < of_b_.size(); ++i) {
      const SegmentPlace& own = map_b_.places()[i];
      if (of_b_[i] == kNowhere || own.kind != SegmentKind::block) continue;
      const SegmentPlace& partner = map_a_.places()[of_b_[i]];
      if (partner.kind == SegmentKind::block) partners_.try_emplace(own.path, &partner);
    }
  }

  void add_unreadable() {
    const std::set<std::string> names(pair_.comparison.unreadable.begin(),
                                      pair_.comparison.unreadable.end());
    if (names.empty()) return;
    for (std::size_t i = 0; i < names_a_.size(); ++i) {
      if (names.contains(names_a_[i])) unread_.insert(map_a_.of(i));
    }
    for (std::size_t i = 0; i < names_b_.size(); ++i) {
      if (names.contains(names_b_[i])) unread_.insert(place_of_b(map_b_.of(i)));
    }
  }

  void settle(std::size_t index) {
    SegmentSums& sums = sums_[index];
    Segment& segment = sums.segment;
    const bool lone_a = segment.only_a > 0;
    const bool lone_b = segment.only_b > 0;
    if (lone_a) raise(&sums, SegmentStatus::more_in_a);
    if (lone_b) raise(&sums, lone_a ? SegmentStatus::unlike : SegmentStatus::more_in_b);
    if (segment.tensors > 0 && segment.only_a == segment.tensors)
      segment.status = SegmentStatus::only_a;
    if (segment.tensors > 0 && segment.only_b == segment.tensors)
      segment.status = SegmentStatus::only_b;
    if (unread_.contains(index)) segment.status = SegmentStatus::not_compared;
    segment.relative = sums.sums.relative();
  }

  std::vector<Segment> finished() {
    for (std::size_t i = 0; i < sums_.size(); ++i) settle(i);
    const bool some_decode = std::ranges::any_of(sums_, &SegmentSums::decoder) &&
                             !std::ranges::all_of(sums_, &SegmentSums::decoder);
    const auto rank = [&](const SegmentSums& sums) {
      const SegmentKind kind = sums.segment.kind;
      if (kind == SegmentKind::head) return 6;
      const int stage = some_decode && sums.decoder ? 3 : 0;
      return stage + (kind == SegmentKind::embeddings ? 0 : sums.end ? 2 : 1);
    };
    std::ranges::stable_sort(sums_, [&](const SegmentSums& x, const SegmentSums& y) {
      return std::tuple(rank(x), x.stack, x.order) < std::tuple(rank(y), y.stack, y.order);
    });
    std::vector<Segment> segments;
    for (SegmentSums& sums : sums_) {
      if (sums.segment.tensors > 0) segments.push_back(std::move(sums.segment));
    }
    return segments;
  }

  const WeightPair& pair_;
  std::vector<std::string> names_a_, names_b_;
  SegmentMap map_a_, map_b_;
  std::vector<SegmentSums> sums_;  // A's in their order, then those that only B has
  std::vector<std::size_t> of_b_;  // to each segment of B one of these
  std::map<std::string, std::size_t> stacks_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::map<std::string, const SegmentPlace*> partners_;
  std::set<std::size_t> unread_;
};

}  // namespace

SegmentStatus status_of_match(const TensorMatch& match) {
  switch (match.kind) {
    case MatchKind::same: return SegmentStatus::identical;
    case MatchKind::renamed: return SegmentStatus::identical;
    case MatchKind::rearranged:
      return match.in_place ? SegmentStatus::exchanged : SegmentStatus::identical;
    case MatchKind::same_values: return SegmentStatus::identical;
    case MatchKind::rounded: return SegmentStatus::rounded;
    case MatchKind::exchanged: return SegmentStatus::exchanged;
    case MatchKind::changed: break;
  }
  if (!match.stats)
    return match.how == kCodesAlone ? SegmentStatus::changed : SegmentStatus::unlike;
  const TensorStats& stats = *match.stats;
  const bool broken = stats.nan_a != stats.nan_b || stats.inf_a != stats.inf_b;
  return broken ? SegmentStatus::not_finite : SegmentStatus::changed;
}

const char* segment_kind_name(SegmentKind kind) {
  switch (kind) {
    case SegmentKind::embeddings: return "embeddings";
    case SegmentKind::block: return "block";
    case SegmentKind::other: return "other";
    case SegmentKind::head: return "head";
  }
  return "";
}

const char* segment_status_name(SegmentStatus status) {
  switch (status) {
    case SegmentStatus::identical: return "identical";
    case SegmentStatus::rounded: return "rounded";
    case SegmentStatus::more_in_a: return "more-in-a";
    case SegmentStatus::more_in_b: return "more-in-b";
    case SegmentStatus::exchanged: return "exchanged";
    case SegmentStatus::changed: return "changed";
    case SegmentStatus::unlike: return "unlike";
    case SegmentStatus::not_finite: return "not-finite";
    case SegmentStatus::only_a: return "only-a";
    case SegmentStatus::only_b: return "only-b";
    case SegmentStatus::not_compared: return "not-compared";
  }
  return "";
}

std::vector<Segment> segments_of(const Report& report, const WeightPair& pair) {
  if (!has_weights(subject_of(report, pair.a)) || !has_weights(subject_of(report, pair.b)))
    return {};
  return SegmentComparison(report, pair).run();
}

}  // namespace samebits
