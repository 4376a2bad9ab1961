#include "samebits/explain/folded_findings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/folded_norm.h"
#include "samebits/explain/named_weights.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr std::string_view kVariance = ".running_var";
constexpr std::string_view kWeightEnd = "weight";

/// A weight of the side with norms, and its partner.
struct LayerWeight {
  std::uint32_t own = 0, other = 0;
};

struct FoldedNorm {
  std::string norm, layer;  // "bn1", "conv1"
  FoldedFit fit;
};

std::string bias_of(const std::string& weight) {
  return weight.substr(0, weight.size() - kWeightEnd.size()) + "bias";
}

class Foldings {
 public:
  Foldings(const Report& report, const WeightPair& pair, bool norms_in_a)
      : own_(subject_of(report, norms_in_a ? pair.a : pair.b)),
        other_(subject_of(report, norms_in_a ? pair.b : pair.a)),
        alone_(norms_in_a ? pair.comparison.only_a : pair.comparison.only_b) {
    for (const TensorMatch& match : pair.comparison.matches) {
      if (match.kind != MatchKind::changed || match.a.size() != 1 || match.b.size() != 1) continue;
      const LayerWeight weight =
          norms_in_a ? LayerWeight{match.a[0], match.b[0]} : LayerWeight{match.b[0], match.a[0]};
      const std::string& name = weight_name(own_.subject(), weight.own);
      if (name.ends_with(kWeightEnd) &&
          weight_name(other_.subject(), weight.other).ends_with(kWeightEnd))
        layers_.push_back(weight);
    }
    std::ranges::sort(layers_, {}, &LayerWeight::own);
  }

  void run() {
    for (const std::string& name : alone_) {
      if (!name.ends_with(kVariance)) continue;
      ++norms_;
      fold(name.substr(0, name.size() - kVariance.size()));
    }
  }

  std::size_t norms() const { return norms_; }
  const std::vector<FoldedNorm>& folded() const { return folded_; }
  const std::set<std::string>& accounted() const { return accounted_; }

 private:
  /// The layer in front of the norm by the order of the weights first, then those behind.
  void fold(const std::string& norm) {
    constexpr std::size_t kMostTried = 64;
    const auto place = own_.find(norm + std::string(kVariance));
    if (!place) return;
    const auto behind =
        std::ranges::find_if(layers_, [&](const LayerWeight& layer) { return layer.own > *place; });
    std::vector<LayerWeight> order(layers_.begin(), behind);
    std::ranges::reverse(order);
    order.insert(order.end(), behind, layers_.end());
    std::size_t tried = 0;
    for (const LayerWeight& layer : order) {
      if (++tried > kMostTried) return;
      if (try_layer(norm, layer)) {
        std::erase_if(layers_, [&](const LayerWeight& each) { return each.own == layer.own; });
        return;
      }
    }
  }

  bool try_layer(const std::string& norm, const LayerWeight& layer) {
    const std::string& name = weight_name(own_.subject(), layer.own);
    const std::string& name_there = weight_name(other_.subject(), layer.other);
    const TensorView* weight = own_.view(name);
    const TensorView* weight_there = other_.view(name_there);
    const TensorView* bias_there = other_.view(bias_of(name_there));
    if (weight == nullptr || weight_there == nullptr || bias_there == nullptr) return false;
    const NormedLayer normed{.weight = weight,
                             .bias = own_.view(bias_of(name)),
                             .gamma = own_.view(norm + ".weight"),
                             .beta = own_.view(norm + ".bias"),
                             .mean = own_.view(norm + ".running_mean"),
                             .variance = own_.view(norm + std::string(kVariance))};
    const auto fit = fit_folded(normed, *weight_there, *bias_there);
    if (!fit) return false;
    folded_.push_back({norm, name.substr(0, name.size() - kWeightEnd.size() - 1), *fit});
    accounted_.insert({name, name_there, bias_of(name), bias_of(name_there)});
    for (const std::string& each : alone_)
      if (each.starts_with(norm + ".")) accounted_.insert(each);
    for (const char* leaf : {".weight", ".bias", ".running_mean", ".running_var"})
      accounted_.insert(norm + leaf);
    return true;
  }

  NamedWeights own_, other_;
  const std::vector<std::string>& alone_;
  std::vector<LayerWeight> layers_;
  std::size_t norms_ = 0;
  std::vector<FoldedNorm> folded_;
  std::set<std::string> accounted_;
};

std::string eps_text(const std::vector<FoldedNorm>& folded) {
  std::set<double> values;
  for (const FoldedNorm& each : folded) values.insert(each.fit.eps);
  std::vector<std::string> texts;
  for (const double eps : values) texts.push_back(fmt::format("{:g}", eps));
  return some_of(texts);
}

void add_folded(Report& report, const WeightPair& pair, const Foldings& found, bool norms_in_a) {
  const std::string& own = norms_in_a ? pair.a : pair.b;
  const std::string& other = norms_in_a ? pair.b : pair.a;
  std::vector<std::string> norms;
  std::vector<std::string> into;
  for (const FoldedNorm& each : found.folded()) {
    norms.push_back(each.norm);
    into.push_back(each.norm + " into " + each.layer);
  }
  Finding finding{.cause = "weights.layout",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  const bool all = norms.size() == found.norms();
  finding.summary = fmt::format(
      "{}{} of {} {} folded into the layers in front of {} in {}: {}",
      all ? "" : fmt::format("{} of ", norms.size()), counted(found.norms(), "batch norm"), own,
      found.norms() == 1 ? "is" : "are", norms.size() == 1 ? "it" : "them", other, some_of(into));
  finding.details.push_back(fmt::format(
      "computed from {} with eps {}: each weight and bias of these layers in {} is weight * gamma "
      "/ "
      "sqrt(var + eps) and (bias - mean) * gamma / sqrt(var + eps) + beta, but for rounding",
      own, eps_text(found.folded()), other));
  finding.details.emplace_back(
      "in eval mode such a layer computes what the two computed, but for rounding");
  const Json apart = "batch norm apart";
  const Json folded = "batch norm folded";
  finding.evidence = {{"count", norms.size()},
                      {"tensors", name_list(norms)},
                      {"layouts", norms_in_a ? Json{apart, folded} : Json{folded, apart}},
                      {"eps", found.folded()[0].fit.eps}};
  finding.remedy = fmt::format(
      "Compare {} as it was before folding, or fold {} too (torch.nn.utils.fusion); train on from "
      "{}, since {} has no norms any more",
      other, own, own, other);
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_folded(Report& report, const WeightPair& pair) {
  for (const bool norms_in_a : {true, false}) {
    Foldings found(report, pair, norms_in_a);
    found.run();
    if (found.folded().empty()) continue;
    add_folded(report, pair, found, norms_in_a);
    return found.accounted();
  }
  return {};
}

}  // namespace samebits
