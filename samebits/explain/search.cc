#include "samebits/explain/search.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "samebits/explain/minimal_subset.h"
#include "samebits/explain/output_pair.h"

namespace samebits {
namespace {

constexpr std::uint64_t kShared = 42;

/// Factors from which on whole groups are tried first.
constexpr std::size_t kMany = 32;

bool same_bits(float x, float y) {
  return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y) ||
         (std::isnan(x) && std::isnan(y));
}

std::set<Factor> as_set(const std::vector<Factor>& factors) {
  return {factors.begin(), factors.end()};
}

/// One search.
class Search {
 public:
  Search(Runner& runner, const std::vector<std::string>& labels, const SearchOptions& options)
      : runner_(runner), labels_(labels), options_(options) {}

  Result<SearchOutcome> run() {
    SearchOutcome outcome;
    for (std::size_t i = 1; i < labels_.size(); ++i) differing_.push_back(runner_.differing(0, i));
    const bool any_differs = std::ranges::any_of(
        differing_, [](const std::vector<Factor>& factors) { return !factors.empty(); });
    SAMEBITS_TRY(first_, traced(0, any_differs ? &trace_ : nullptr));
    SAMEBITS_TRY_VOID(add_own(0, first_, &outcome));
    for (std::size_t i = 1; i < labels_.size(); ++i) {
      std::vector<NamedArray> trace;
      SAMEBITS_TRY(const VitOutputs outputs,
                   traced(i, differing_[i - 1].empty() ? nullptr : &trace));
      SAMEBITS_TRY_VOID(add_own(i, outputs, &outcome));
      SAMEBITS_TRY(PairOutcome pair, compare(i, outputs, std::move(trace)));
      outcome.pairs.push_back(std::move(pair));
    }
    return outcome;
  }

 private:
  /// No two subjects draw the same, as is so in the field.
  Seeds own_seeds(std::size_t subject) const { return {1 + subject, 1 + subject}; }

  Result<VitOutputs> shared(std::size_t subject, const std::set<Factor>& exchanged,
                            const TracePoint& trace = {}) {
    return runner_.run(
        {.subject = subject, .donor = 0, .exchanged = exchanged, .seeds = {kShared, kShared}},
        trace);
  }

  /// As its owner would run it: what draws nothing has the outputs that it has with any seeds.
  Result<void> add_own(std::size_t i, const VitOutputs& with_shared, SearchOutcome* outcome) {
    if (!runner_.draws_noise(i) && !runner_.draws_dropout(i)) {
      outcome->own.push_back(with_shared);
      return {};
    }
    SAMEBITS_TRY(VitOutputs own, runner_.run({.subject = i, .donor = i, .seeds = own_seeds(i)}));
    outcome->own.push_back(std::move(own));
    return repeat(i, outcome);
  }

  /// Once more with other draws of one kind: does it differ from itself?
  Result<void> repeat(std::size_t i, SearchOutcome* outcome) {
    const std::uint64_t other = 1 + labels_.size() + i;
    if (runner_.draws_noise(i) && outcome->noise_twice.point.empty()) {
      SAMEBITS_TRY(outcome->noise_twice, twice(i, outcome->own[i], {other, own_seeds(i).dropout}));
    }
    if (runner_.draws_dropout(i)) {
      SAMEBITS_TRY(OutputPair pair, twice(i, outcome->own[i], {own_seeds(i).noise, other}));
      outcome->dropout_twice.push_back(std::move(pair));
    }
    return {};
  }

  Result<OutputPair> twice(std::size_t i, const VitOutputs& once, const Seeds& seeds) {
    SAMEBITS_TRY(const VitOutputs again, runner_.run({.subject = i, .donor = i, .seeds = seeds}));
    const NamedArray& point = once.at("last_hidden_state");
    return compare_outputs(labels_[i], labels_[i], point.name,
                           {view_of(point), view_of(again.at(point.name))}, options_.threads);
  }

  bool agrees(std::size_t i, const std::vector<Factor>& exchanged) {
    const Result<VitOutputs> outputs = shared(i, as_set(exchanged));
    return outputs && identical(*outputs, first_);
  }

  /// Of subjects that differ throughout, as after a training, this many runs tell what the search
  /// for a minimal subset would take several for every factor to tell.
  bool every_group_is_needed(std::size_t i, const std::vector<Factor>& factors) {
    std::set<std::string> groups;
    for (const Factor& factor : factors) groups.insert(runner_.group_of(factor));
    if (groups.size() < 2) return false;
    return std::ranges::all_of(groups, [&](const std::string& group) {
      std::vector<Factor> rest;
      std::ranges::copy_if(factors, std::back_inserter(rest),
                           [&](const Factor& factor) { return runner_.group_of(factor) != group; });
      return options_.more() && !agrees(i, rest);
    });
  }

  /// `trace`: of this subject, or nothing.
  Result<PairOutcome> compare(std::size_t i, const VitOutputs& outputs,
                              std::vector<NamedArray> trace) {
    PairOutcome pair;
    pair.equal = identical(outputs, first_);
    if (pair.equal) return pair;
    pair.differing = differing_[i - 1];
    SAMEBITS_TRY_VOID(locate(i, outputs, std::move(trace), &pair));
    pair.explained = !pair.differing.empty() && agrees(i, pair.differing);
    if (!pair.explained) return pair;
    if (pair.differing.size() > kMany && every_group_is_needed(i, pair.differing)) {
      pair.minimal = pair.differing;
      pair.is_minimal = false;
      pair.by_group = true;
      return pair;
    }
    auto found = minimal_subset<Factor>(
        pair.differing, [&](const std::vector<Factor>& some) { return agrees(i, some); },
        options_.more);
    pair.minimal = std::move(found.items);
    pair.is_minimal = found.minimal;
    return pair;
  }

  /// The points of A and of this subject, in execution order; the outputs too, where no point
  /// differs.
  Result<void> locate(std::size_t i, const VitOutputs& outputs, std::vector<NamedArray> trace,
                      PairOutcome* pair) {
    if (trace_.empty()) SAMEBITS_TRY_VOID(traced(0, &trace_));
    if (trace.empty()) SAMEBITS_TRY_VOID(traced(i, &trace));
    add_points(i, trace_, trace, pair);
    if (pair->parting.empty()) add_points(i, first_.arrays, outputs.arrays, pair);
    return {};
  }

  void add_points(std::size_t i, const std::vector<NamedArray>& own,
                  const std::vector<NamedArray>& other, PairOutcome* pair) {
    for (const NamedArray& point : own) {
      const auto same = std::find_if(other.begin(), other.end(), [&](const NamedArray& each) {
        return each.name == point.name && each.shape == point.shape;
      });
      if (same == other.end()) continue;
      pair->points.push_back(compare_outputs(labels_[0], labels_[i], point.name,
                                             {view_of(point), view_of(*same)}, options_.threads));
      if (pair->parting.empty() && pair->points.back().differing > 0) pair->parting = point.name;
    }
  }

  /// With the shared seeds; nullptr: without a trace.
  Result<VitOutputs> traced(std::size_t subject, std::vector<NamedArray>* points) {
    if (points == nullptr) return shared(subject, {});
    return shared(subject, {},
                  [points](std::string_view name, std::span<const float> values,
                           const std::vector<std::size_t>& shape) {
                    points->push_back({std::string(name), shape, {values.begin(), values.end()}});
                  });
  }

  Runner& runner_;
  const std::vector<std::string>& labels_;
  const SearchOptions& options_;
  std::vector<std::vector<Factor>> differing_;  // of the subjects behind the first
  VitOutputs first_;                            // of A, with the shared seeds
  std::vector<NamedArray> trace_;               // of A
};

}  // namespace

bool identical(const VitOutputs& x, const VitOutputs& y) {
  bool any = false;
  for (const NamedArray& p : x.arrays) {
    const auto q = std::ranges::find(y.arrays, p.name, &NamedArray::name);
    if (q == y.arrays.end()) continue;
    any = true;
    if (p.shape != q->shape || !std::equal(p.values.begin(), p.values.end(), q->values.begin(),
                                           q->values.end(), same_bits))
      return false;
  }
  return any;
}

Result<SearchOutcome> search(Runner& runner, const std::vector<std::string>& labels,
                             const SearchOptions& options) {
  return Search(runner, labels, options).run();
}

}  // namespace samebits
