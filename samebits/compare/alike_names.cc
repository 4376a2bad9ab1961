#include "samebits/compare/alike_names.h"

#include <algorithm>
#include <unordered_map>

#include "samebits/compare/name_affinity.h"

namespace samebits {
namespace {

constexpr std::uint64_t kEveryPair = 1 << 16;  // so many pairs are all looked at
constexpr std::size_t kCandidates = 32;        // of one name in longer lists

class AlikeSearch {
 public:
  AlikeSearch(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b,
              double least)
      : least_(least) {
    for (const std::string_view name : a) a_.push_back(names_.add(name));
    for (const std::string_view name : b) b_.push_back(names_.add(name));
  }

  void every_pair() {
    for (std::uint32_t i = 0; i < a_.size(); ++i) {
      for (std::uint32_t j = 0; j < b_.size(); ++j) offer(i, j);
    }
  }

  void pairs_of_rare_words(WorkBudget* budget) {
    for (std::uint32_t j = 0; j < b_.size(); ++j) {
      for (const std::uint32_t token : names_.tokens(b_[j])) holders_[token].push_back(j);
    }
    std::vector<std::uint32_t> seen_by(b_.size(), ~0U);
    for (std::uint32_t i = 0; i < a_.size(); ++i) {
      std::vector<std::uint32_t> candidates;
      for (const std::vector<std::uint32_t>* holders : rarest_first(i)) {
        for (const std::uint32_t j : *holders) {
          if (candidates.size() == kCandidates) break;
          if (seen_by[j] != i) candidates.push_back(j);
          seen_by[j] = i;
        }
      }
      if (!budget->take(candidates.size())) return;
      std::sort(candidates.begin(), candidates.end());
      for (const std::uint32_t j : candidates) offer(i, j);
    }
  }

  std::vector<AlikePair> take() {
    std::stable_sort(pairs_.begin(), pairs_.end(), [](const AlikePair& x, const AlikePair& y) {
      return x.affinity > y.affinity;
    });
    return std::move(pairs_);
  }

 private:
  void offer(std::uint32_t i, std::uint32_t j) {
    const double affinity = names_.affinity(a_[i], b_[j]);
    if (affinity >= least_) pairs_.push_back({i, j, affinity});
  }

  // The names of B that hold each token of one of A.
  std::vector<const std::vector<std::uint32_t>*> rarest_first(std::uint32_t i) const {
    std::vector<const std::vector<std::uint32_t>*> lists;
    for (const std::uint32_t token : names_.tokens(a_[i])) {
      const auto at = holders_.find(token);
      if (at != holders_.end()) lists.push_back(&at->second);
    }
    std::stable_sort(lists.begin(), lists.end(),
                     [](const auto* x, const auto* y) { return x->size() < y->size(); });
    return lists;
  }

  double least_;
  NameAffinity names_;
  std::vector<std::uint32_t> a_, b_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> holders_;
  std::vector<AlikePair> pairs_;
};

}  // namespace

AlikePairs alike_pairs(const std::vector<std::string_view>& a,
                       const std::vector<std::string_view>& b, double least, WorkBudget* budget) {
  AlikeSearch search(a, b, least);
  const std::uint64_t every = std::uint64_t{a.size()} * b.size();
  const bool complete = every <= kEveryPair && budget->take(every);
  if (complete) {
    search.every_pair();
  } else {
    search.pairs_of_rare_words(budget);
  }
  return {search.take(), complete};
}

}  // namespace samebits
