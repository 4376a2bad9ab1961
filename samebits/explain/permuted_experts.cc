#include "samebits/explain/permuted_experts.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using ExpertOrder = std::vector<std::size_t>;  // the expert of A that stands in each place of B

constexpr std::string_view kExpertsPath = "experts.";

/// A tensor of A, its partner in B, and the name under which B holds its bytes.
struct ExpertPlace {
  const TensorView* a = nullptr;
  const TensorView* b = nullptr;
  std::string name_b;
};

/// The number behind "experts." and what follows it: 3 and "w1.weight".
std::optional<std::pair<std::size_t, std::string>> expert_of(const std::string& rest) {
  const Pieces pieces = split_name(rest);
  if (pieces.size() < 2 || !is_number(pieces[0]) || pieces[0].size() > 9) return std::nullopt;
  return std::pair(std::stoull(std::string(without_dot(pieces[0]))), rest.substr(pieces[0].size()));
}

class ExpertsOfRouter {
 public:
  ExpertsOfRouter(const std::map<std::string, ExpertPlace>& places, const std::string& router,
                  const ExpertOrder& order)
      : places_(places), order_(order), gate_(module_of(router)) {
    const std::string inner = gate_.substr(0, gate_.size() - 1);
    block_ = module_of(inner);
  }

  /// Empty unless all follow the order.
  std::set<std::string> names() const {
    std::set<std::string> found;
    bool has_experts = false;
    for (auto at = places_.lower_bound(block_);
         at != places_.end() && at->first.starts_with(block_); ++at) {
      const std::string rest = at->first.substr(block_.size());
      const bool of_gate = at->first.starts_with(gate_);
      if (!of_gate && !rest.starts_with(kExpertsPath)) continue;
      if (!follows(at->second, of_gate ? "" : rest.substr(kExpertsPath.size()))) return {};
      has_experts = has_experts || !of_gate;
      found.insert(at->first);
    }
    if (!has_experts) found.clear();
    return found;
  }

 private:
  bool follows(const ExpertPlace& place, const std::string& rest) const {
    if (const auto own = expert_of(rest)) {
      const std::string experts = block_ + std::string(kExpertsPath);
      if (!place.name_b.starts_with(experts)) return false;
      const auto there = expert_of(place.name_b.substr(experts.size()));
      return there && there->second == own->second && there->first < order_.size() &&
             order_[there->first] == own->first;
    }
    if (is_constant(*place.a) && is_constant(*place.b)) return true;
    const bool alike = place.a->dtype() == place.b->dtype() &&
                       place.a->shape() == place.b->shape() && !place.a->shape().empty();
    return alike && place.a->shape()[0] == static_cast<std::int64_t>(order_.size()) &&
           permutation_order(*place.a, *place.b, false, 1) == order_;
  }

  const std::map<std::string, ExpertPlace>& places_;
  const ExpertOrder& order_;
  std::string gate_, block_;  // with their dots
};

}  // namespace

std::set<std::string> permuted_experts(const Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  std::map<std::string, ExpertPlace> places;
  std::vector<std::pair<std::string, ExpertOrder>> routers;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& name = weight_name(a, match.a[0]);
    const TensorView& x = weight_entry(a, match.a[0]).view;
    const TensorView& y = weight_entry(b, match.b[0]).view;
    places[name] = {&x, &y, weight_name(b, match.b[0])};
    const bool rows = match.stats && is_permutation(match.stats->pattern) &&
                      x.shape().size() == 2 &&
                      match.stats->pattern.find("columns") == std::string::npos;
    if (!rows || name.find(kExpertsPath) != std::string::npos) continue;
    if (auto order = permutation_order(x, y, false, 1))
      routers.emplace_back(name, *std::move(order));
  }
  for (const Exchange& exchange : pair.comparison.exchanges) {
    for (std::size_t i = 0; i < exchange.names_a.size() && exchange.how.empty(); ++i)
      places[exchange.names_a[i]].name_b = exchange.names_b[i];
  }
  std::set<std::string> names;
  for (const auto& [router, order] : routers)
    names.merge(ExpertsOfRouter(places, router, order).names());
  return names;
}

}  // namespace samebits
