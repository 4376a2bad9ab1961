#include "samebits/explain/adapted_findings.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/low_rank.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using AdapterNames = std::set<std::string>;

constexpr std::string_view kFactors[] = {
    ".lora_A",     ".lora_B",   ".lora_embedding_A", ".lora_embedding_B", ".lora_magnitude_vector",
    ".lora_down.", ".lora_up.", ".lora.down.",       ".lora.up."};

/// The layer whose factor this is: "vit.layers.0.attention.q_proj"; nothing for other tensors.
std::optional<std::string> adapted_layer(const std::string& name) {
  for (const std::string_view factor : kFactors) {
    const std::size_t at = name.find(factor);
    if (at == std::string::npos) continue;
    std::string layer = name.substr(0, at);
    for (const std::string_view prefix : {"base_model.model.", "base_model."})
      if (layer.starts_with(prefix)) return layer.substr(prefix.size());
    return layer;
  }
  return std::nullopt;
}

/// The factors of a subject's weights: what they are called, for which layers, of what rank.
struct Factors {
  AdapterNames names, layers;
  std::set<std::int64_t> ranks;
  std::size_t others = 0;  // tensors that are no factors
};

Factors factors_of(const Subject& subject) {
  Factors found;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    const auto layer = adapted_layer(tensor.name);
    if (!layer) {
      ++found.others;
      continue;
    }
    found.names.insert(tensor.name);
    found.layers.insert(*layer);
    const bool down = tensor.name.find(".lora_A") != std::string::npos ||
                      tensor.name.find("lora_down") != std::string::npos ||
                      tensor.name.find("lora.down") != std::string::npos;
    if (down && !tensor.view.shape().empty()) found.ranks.insert(tensor.view.shape()[0]);
  }
  return found;
}

Json rank_evidence(const std::set<std::int64_t>& ranks) {
  if (ranks.size() == 1) return *ranks.begin();
  Json list = Json::array();
  for (const std::int64_t rank : ranks) list.push_back(rank);
  return list;
}

std::string rank_text(const std::set<std::int64_t>& ranks) {
  if (ranks.empty()) return "unknown rank";
  if (ranks.size() == 1) return fmt::format("rank {}", *ranks.begin());
  return fmt::format("ranks {} to {}", *ranks.begin(), *ranks.rbegin());
}

/// "lora_alpha 8, so the update is scaled by 2"; "" where no config says so.
std::string scale_text(const Json& adapter) {
  const auto number = [&](const char* field) -> std::optional<double> {
    if (!adapter.is_object() || !adapter.contains(field) || !adapter[field].is_number())
      return std::nullopt;
    return adapter[field].get<double>();
  };
  const auto alpha = number("lora_alpha");
  const auto rank = number("r");
  if (!alpha || !rank || *rank <= 0) return "";
  const bool root = adapter.contains("use_rslora") && adapter["use_rslora"] == true;
  const double scale = *alpha / (root ? std::sqrt(*rank) : *rank);
  return fmt::format("lora_alpha is {}, r is {}: the update is scaled by {:.6g}", *alpha, *rank,
                     scale);
}

Finding make_adapted(const WeightPair& pair, const AdapterNames& names) {
  Finding finding{.cause = "weights.adapted",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list({names.begin(), names.end()})}};
  return finding;
}

/// One side holds factors: an adapter alone, or factors beside the layers that they adapt.
AdapterNames find_factors(Report& report, const WeightPair& pair, const Subject& plain,
                          const Subject& adapted, const Factors& factors) {
  const bool alone = factors.others < factors.layers.size();
  const bool is_b = adapted.label == pair.b;
  Finding finding = make_adapted(pair, factors.layers);
  const std::string layers = counted(factors.layers.size(), "layer");
  finding.summary =
      alone ? fmt::format("{} is an adapter and no whole model: LoRA factors of {} for {}",
                          adapted.label, rank_text(factors.ranks), layers)
            : fmt::format("{} holds LoRA factors of {} beside the layers that they adapt: {}",
                          adapted.label, rank_text(factors.ranks), layers);
  finding.evidence["rank"] = rank_evidence(factors.ranks);
  finding.evidence["factors"] = factors.names.size();
  const Json& adapter = adapted.checkpoint->adapter;
  if (const std::string scale = scale_text(adapter); !scale.empty())
    finding.details.push_back(scale);
  if (adapter.is_object() && adapter.contains("base_model_name_or_path") &&
      adapter["base_model_name_or_path"].is_string())
    finding.details.push_back("it is made for " +
                              adapter["base_model_name_or_path"].get<std::string>());
  finding.remedy = alone ? fmt::format(
                               "Load {} on top of its base model, or merge it, before the "
                               "two are compared",
                               adapted.label)
                         : "Merge the adapter before the two are compared";
  add_finding(report, std::move(finding));
  AdapterNames explained = factors.names;
  if (alone) {
    const auto& missing = is_b ? pair.comparison.only_a : pair.comparison.only_b;
    explained.insert(missing.begin(), missing.end());
  }
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.empty() || match.b.empty()) continue;
    const std::uint32_t index = is_b ? match.b[0] : match.a[0];
    if (!factors.names.contains(weight_name(adapted, index))) continue;
    explained.insert(weight_name(is_b ? plain : adapted, match.a[0]));
  }
  return explained;
}

bool could_be_merged(const TensorMatch& match) {
  if (match.kind != MatchKind::changed || match.a.size() != 1 || match.b.size() != 1 ||
      !match.stats)
    return false;
  const TensorStats& stats = *match.stats;
  return (stats.pattern.empty() || stats.pattern == "all") &&
         stats.differing * 2 >= stats.elements && stats.rows_differing * 2 >= stats.rows;
}

/// Matrices whose change has a low rank, where most changed matrices are so.
AdapterNames find_merged(Report& report, const WeightPair& pair, const Subject& a,
                         const Subject& b) {
  const auto view = [](const Subject& subject, std::uint32_t index) -> const TensorView& {
    return subject.checkpoint->entries[subject.checkpoint->weights().weights[index]].view;
  };
  AdapterNames names;
  std::set<std::int64_t> ranks;
  double residual = 0;
  std::size_t full = 0;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (!could_be_merged(match)) continue;
    const TensorView& left = view(a, match.a[0]);
    if (left.shape().size() < 2) continue;
    const auto low = low_rank_difference(left, view(b, match.b[0]));
    if (!low) {
      if (++full > names.size() + 8) return {};  // an ordinary training
      continue;
    }
    names.insert(weight_name(a, match.a[0]));
    ranks.insert(low->rank);
    residual = std::max(residual, low->residual);
  }
  if (names.empty() || full > names.size()) return {};
  Finding finding = make_adapted(pair, names);
  finding.summary = fmt::format(
      "{} of one side {} the other's plus an update of {}, as merging a "
      "LoRA adapter leaves it",
      counted(names.size(), "weight"), names.size() == 1 ? "is" : "are", rank_text(ranks));
  finding.details.push_back(fmt::format(
      "what that rank leaves unexplained of the differences is at most {:.3g}", residual));
  finding.evidence["rank"] = rank_evidence(ranks);
  finding.evidence["residual"] = json_number(residual);
  finding.remedy = "Compare base with base, or merge the same adapter on both sides";
  add_finding(report, std::move(finding));
  return names;
}

}  // namespace

std::set<std::string> find_adapted(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const Factors in_a = factors_of(a);
  const Factors in_b = factors_of(b);
  if (in_a.names.empty() != in_b.names.empty())
    return in_a.names.empty() ? find_factors(report, pair, a, b, in_b)
                              : find_factors(report, pair, b, a, in_a);
  return find_merged(report, pair, a, b);
}

}  // namespace samebits
