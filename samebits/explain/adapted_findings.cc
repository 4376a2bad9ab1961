#include "samebits/explain/adapted_findings.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/low_rank.h"
#include "samebits/explain/adapter_beside.h"
#include "samebits/explain/adapter_modules.h"
#include "samebits/explain/adapter_names.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using AdapterNames = std::set<std::string>;

Json rank_evidence(const std::set<std::int64_t>& ranks) {
  if (ranks.size() == 1) return *ranks.begin();
  Json list = Json::array();
  for (const std::int64_t rank : ranks) list.push_back(rank);
  return list;
}

/// Requires a rank.
std::string rank_text(const std::set<std::int64_t>& ranks) {
  if (ranks.size() == 1) return fmt::format("rank {}", *ranks.begin());
  return fmt::format("ranks {} to {}", *ranks.begin(), *ranks.rbegin());
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

/// Weights of two subjects that differ by an adapter's update, as its factors give it.
struct ComputedUpdates {
  AdapterNames names;            // A's
  std::set<std::string> scales;  // "2", as found
  double residual = 0;
  bool reversed = false;  // B is the base
  bool as_config = true;  // the scale is the config's, where that gives one
  /// Of weights of a half type, elements that are the rounded sum to the bit.
  std::uint64_t rounded = 0, elements = 0;
  std::string half;  // "bfloat16"; "" where there are none
};

/// The layer whose factors explain the change, the one of that name first.
const std::pair<const std::string, AdapterFactors>* layer_for(
    const AdapterParts& parts, const Json& config, const std::string& name, const TensorView& a,
    const TensorView& b, std::optional<UpdateFit>* fit) {
  constexpr std::size_t kMostLayers = 256;  // of another name
  std::vector<const std::pair<const std::string, AdapterFactors>*> order;
  for (const auto& each : parts.layers) {
    const bool named = name.find(each.first + ".") != std::string::npos;
    order.insert(named ? order.begin() : order.end(), &each);
  }
  if (order.size() > kMostLayers) order.resize(kMostLayers);
  for (const auto* each : order) {
    *fit = fit_update(a, b, each->second, adapter_scale(config, each->first, each->second));
    if (*fit && (*fit)->rounding) return each;
    // l - 1 times the base is not what is to be taken from a merged weight.
    *fit = each->second.contains("ia3_l") ? fit_update(b, a, each->second) : std::nullopt;
    if (*fit && (*fit)->rounding) {
      (*fit)->scale = -(*fit)->scale;
      return each;
    }
  }
  return nullptr;
}

std::optional<ComputedUpdates> computed_updates(const WeightPair& pair, const Subject& a,
                                                const Subject& b, const AdapterParts& parts,
                                                const Json& config) {
  ComputedUpdates found;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& name = weight_name(a, match.a[0]);
    std::optional<UpdateFit> fit;
    const auto* layer = layer_for(parts, config, name, weight_entry(a, match.a[0]).view,
                                  weight_entry(b, match.b[0]).view, &fit);
    if (layer == nullptr) continue;
    const double scale = std::abs(fit->scale);
    const auto expected = adapter_scale(config, layer->first, layer->second);
    found.reversed = fit->scale < 0;
    found.as_config &= !expected || std::abs(scale - *expected) <= 1e-3 * std::abs(*expected);
    found.names.insert(name);
    found.scales.insert(fmt::format("{:.4g}", scale));
    found.residual = std::max(found.residual, fit->residual);
    if (fit->elements == 0) continue;
    found.rounded += fit->rounded;
    found.elements += fit->elements;
    const StoredTensor& merged =
        fit->scale < 0 ? weight_entry(a, match.a[0]) : weight_entry(b, match.b[0]);
    found.half = info(merged.view.dtype()).torch;
  }
  if (found.names.empty()) return std::nullopt;
  return found;
}

void add_computed(Finding& finding, const WeightPair& pair, const Subject& adapter,
                  const AdapterParts& parts, const ComputedUpdates& updates) {
  const std::string& base = updates.reversed ? pair.b : pair.a;
  const std::string& merged = updates.reversed ? pair.a : pair.b;
  std::string scales;
  for (const std::string& scale : updates.scales) scales += (scales.empty() ? "" : ", ") + scale;
  finding.details.push_back(fmt::format(
      "computed: {} of {} {} {}'s plus the {} update of {}, scaled by {}, up to {:.3g}",
      counted(updates.names.size(), "weight"), merged, updates.names.size() == 1 ? "is" : "are",
      base, parts.family(), adapter.label, scales, updates.residual));
  if (updates.elements > 0)
    finding.details.push_back(fmt::format(
        "rounded to {}, that gives {} of {} elements bit for bit{}", updates.half, updates.rounded,
        updates.elements,
        updates.rounded == updates.elements ? "" : "; sums in another order round otherwise"));
  if (adapter.checkpoint->adapter.is_object() && !updates.as_config)
    finding.details.emplace_back("adapter_config.json gives another scale");
  finding.evidence["computed"] = updates.names.size();
  finding.evidence["residual"] = json_number(updates.residual);
  Json list = Json::array();
  for (const std::string& scale : updates.scales) list.push_back(Json::parse(scale));
  finding.evidence["scales"] = std::move(list);
}

/// "the update is scaled by 2, as adapter_config.json says"; "" where it does not.
std::string scale_text(const Json& config, const AdapterParts& parts) {
  std::set<double> scales;
  for (const auto& [layer, factors] : parts.layers) {
    const auto scale = adapter_scale(config, layer, factors);
    if (!scale || factors.contains("ia3_l")) return "";
    scales.insert(*scale);
  }
  if (scales.empty()) return "";
  const std::string text = scales.size() == 1
                               ? fmt::format("{:.6g}", *scales.begin())
                               : fmt::format("{:.6g} to {:.6g}", *scales.begin(), *scales.rbegin());
  return "by adapter_config.json the update is scaled by " + text;
}

std::string factors_text(const AdapterParts& parts) {
  return parts.family() + " factors" + (parts.ranks.empty() ? "" : " of " + rank_text(parts.ranks));
}

/// As of a new LoRA adapter, whose B is all zeros.
bool changes_nothing(const AdapterParts& parts) {
  return !parts.layers.empty() && std::ranges::all_of(parts.layers, [](const auto& layer) {
    const auto up = layer.second.find("lora_B");
    return up != layer.second.end() && !layer.second.contains("lora_magnitude_vector") &&
           constant_value(up->second) == 0.0;
  });
}

/// Names that the factors account for: their own, those that an adapter alone has not, and changed
/// tensors that are factors.
AdapterNames accounted_for(const WeightPair& pair, const Subject& plain, const Subject& adapted,
                           const AdapterParts& parts, bool alone) {
  const bool is_b = adapted.label == pair.b;
  AdapterNames explained = parts.names;
  if (alone) {
    const auto& missing = is_b ? pair.comparison.only_a : pair.comparison.only_b;
    explained.insert(missing.begin(), missing.end());
  }
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.empty() || match.b.empty()) continue;
    const std::uint32_t index = is_b ? match.b[0] : match.a[0];
    if (!parts.names.contains(weight_name(adapted, index))) continue;
    explained.insert(weight_name(is_b ? plain : adapted, match.a[0]));
  }
  return explained;
}

/// One side holds factors: an adapter alone, or factors beside the layers that they adapt.
AdapterNames find_factors(Report& report, const WeightPair& pair, const Subject& plain,
                          const Subject& adapted, const AdapterParts& parts) {
  const bool alone = parts.others < std::max<std::size_t>(parts.layers.size(), 1);
  AdapterNames layers;
  for (const auto& [layer, factors] : parts.layers) layers.insert(layer);
  Finding finding = make_adapted(pair, layers);
  const std::string of =
      layers.empty() ? "" : (alone ? " for " : ": ") + counted(layers.size(), "layer");
  finding.summary = alone ? fmt::format("{} is an adapter and no whole model: {}{}", adapted.label,
                                        factors_text(parts), of)
                          : fmt::format("{} holds {} beside the layers that they adapt{}",
                                        adapted.label, factors_text(parts), of);
  finding.evidence["kind"] = parts.family();
  if (!parts.ranks.empty()) finding.evidence["rank"] = rank_evidence(parts.ranks);
  finding.evidence["factors"] = parts.names.size();
  const Json& config = adapted.checkpoint->adapter;
  if (const std::string scale = scale_text(config, parts); !scale.empty())
    finding.details.push_back(scale);
  if (changes_nothing(parts))
    finding.details.emplace_back(
        "its update is zero: every lora_B is all zeros, as in a new adapter, and the outputs are "
        "those of the base");
  if (config.is_object() && config.contains("base_model_name_or_path") &&
      config["base_model_name_or_path"].is_string())
    finding.details.push_back("it is made for " +
                              config["base_model_name_or_path"].get<std::string>());
  finding.remedy =
      alone ? fmt::format(
                  "Load {} on top of its base model, or merge it, before the two are compared",
                  adapted.label)
            : "Merge the adapter before the two are compared";
  AdapterNames explained = accounted_for(pair, plain, adapted, parts, alone);
  if (const AdapterNames whole = alone ? own_modules(plain, adapted, &explained) : AdapterNames();
      !whole.empty())
    finding.details.push_back(fmt::format("it holds {} whole, to be put in place of {}'s: {}",
                                          counted(whole.size(), "weight"), plain.label,
                                          some_of({whole.begin(), whole.end()})));
  const Subject& a = adapted.label == pair.b ? plain : adapted;
  const Subject& b = adapted.label == pair.b ? adapted : plain;
  if (const auto updates = computed_updates(pair, a, b, parts, config)) {
    add_computed(finding, pair, adapted, parts, *updates);
    explained.insert(updates->names.begin(), updates->names.end());
  }
  add_finding(report, std::move(finding));
  return explained;
}

Finding merged_finding(const WeightPair& pair, const Subject& adapter, const AdapterParts& parts,
                       const ComputedUpdates& updates, const AdapterNames& whole) {
  AdapterNames all = updates.names;
  all.insert(whole.begin(), whole.end());
  Finding finding = make_adapted(pair, all);
  finding.summary = fmt::format(
      "{} is {} with {} merged into {}", updates.reversed ? pair.a : pair.b,
      updates.reversed ? pair.b : pair.a, adapter.label, counted(updates.names.size(), "weight"));
  if (!whole.empty())
    finding.summary += fmt::format(", and {} in place of {}",
                                   whole.size() == 1 ? "one of its own" : "those of its own",
                                   some_of({whole.begin(), whole.end()}));
  finding.evidence["kind"] = parts.family();
  if (!parts.ranks.empty()) finding.evidence["rank"] = rank_evidence(parts.ranks);
  add_computed(finding, pair, adapter, parts, updates);
  finding.remedy = "Compare base with base, or merge the same adapter on both sides";
  return finding;
}

/// Neither side holds factors, and a third subject does: whether its update is the difference.
AdapterNames find_computed(Report& report, const WeightPair& pair, const Subject& a,
                           const Subject& b) {
  for (const Subject& adapter : report.subjects) {
    if (!adapter.checkpoint || !adapter.checkpoint->has_weights() || adapter.label == pair.a ||
        adapter.label == pair.b)
      continue;
    const AdapterParts parts = adapter_parts(adapter);
    if (parts.layers.empty()) continue;
    const auto updates = computed_updates(pair, a, b, parts, adapter.checkpoint->adapter);
    if (!updates) {
      note_uncomputed(report, pair, a, adapter, parts);
      continue;
    }
    AdapterNames whole = whole_modules(pair, a, b, adapter, updates->reversed);
    for (const std::string& name : updates->names) whole.erase(name);
    add_finding(report, merged_finding(pair, adapter, parts, *updates, whole));
    whole.insert(updates->names.begin(), updates->names.end());
    return whole;
  }
  return {};
}

/// One side's directory holds an adapter that belongs on top of its weights.
AdapterNames find_beside(Report& report, const WeightPair& pair, const Subject& a, const Subject& b,
                         const Subject& adapter) {
  const AdapterParts parts = adapter_parts(adapter);
  AdapterNames layers;
  for (const auto& [layer, factors] : parts.layers) layers.insert(layer);
  Finding finding = make_adapted(pair, layers);
  finding.summary = fmt::format(
      "{} holds an adapter beside its weights, which from_pretrained puts on top of them where "
      "peft is installed",
      adapter.label);
  finding.details.push_back(adapter.checkpoint->weights().key + " holds " + factors_text(parts) +
                            " for " + counted(layers.size(), "layer"));
  finding.evidence["kind"] = parts.family();
  if (!parts.ranks.empty()) finding.evidence["rank"] = rank_evidence(parts.ranks);
  finding.evidence["factors"] = parts.names.size();
  finding.remedy = "Merge the adapter, or move it away, before the two are compared";
  AdapterNames explained;
  if (const auto updates = computed_updates(pair, a, b, parts, adapter.checkpoint->adapter)) {
    add_computed(finding, pair, adapter, parts, *updates);
    explained = updates->names;
  }
  add_finding(report, std::move(finding));
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

/// Changed weights that are no matrices: biases, and weights of norms.
std::size_t count_changed_vectors(const Subject& a, const WeightPair& pair) {
  return static_cast<std::size_t>(
      std::ranges::count_if(pair.comparison.matches, [&](const TensorMatch& match) {
        return match.kind == MatchKind::changed && match.a.size() == 1 &&
               weight_entry(a, match.a[0]).view.shape().size() == 1;
      }));
}

/// Matrices whose change has a low rank, where most changed matrices are so. A step of a training
/// leaves such changes too, of no more rank than its batch has tokens; it moves biases and norms
/// with them.
AdapterNames find_merged(Report& report, const WeightPair& pair, const Subject& a,
                         const Subject& b) {
  AdapterNames names;
  std::set<std::int64_t> ranks;
  double residual = 0;
  std::size_t full = 0;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (!could_be_merged(match)) continue;
    const TensorView& left = weight_entry(a, match.a[0]).view;
    if (left.shape().size() < 2) continue;
    const auto low = low_rank_difference(left, weight_entry(b, match.b[0]).view);
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
  const bool is_adapters = ranks.size() == 1 && 2 * count_changed_vectors(a, pair) <= names.size();
  finding.summary = fmt::format(
      "{} of one side {} the other's plus an update of {}, {}", counted(names.size(), "weight"),
      names.size() == 1 ? "is" : "are", rank_text(ranks),
      is_adapters ? "as merging a LoRA adapter leaves it"
                  : "as merging LoRA adapters leaves it, or a training step on few samples");
  finding.details.push_back(fmt::format(
      "what that rank leaves unexplained of the differences is at most {:.3g}", residual));
  finding.evidence["rank"] = rank_evidence(ranks);
  finding.evidence["residual"] = json_number(residual);
  finding.remedy = is_adapters
                       ? "Compare base with base, or merge the same adapter on both sides"
                       : "Take one of the two files on both sides; where an adapter was merged, "
                         "compare base with base";
  add_finding(report, std::move(finding));
  return names;
}

}  // namespace

std::set<std::string> find_adapted(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const std::optional<Subject> beside_a = adapter_beside(report, a);
  const std::optional<Subject> beside_b = adapter_beside(report, b);
  if (beside_a && beside_b) compare_adapters_beside(report, pair, *beside_a, *beside_b);
  if (beside_a.has_value() != beside_b.has_value())
    return find_beside(report, pair, a, b, beside_a ? *beside_a : *beside_b);
  const AdapterParts in_a = adapter_parts(a);
  const AdapterParts in_b = adapter_parts(b);
  if (in_a.names.empty() != in_b.names.empty())
    return in_a.names.empty() ? find_factors(report, pair, a, b, in_b)
                              : find_factors(report, pair, b, a, in_a);
  if (in_a.names.empty()) {
    AdapterNames computed = find_computed(report, pair, a, b);
    if (!computed.empty()) return computed;
  }
  return find_merged(report, pair, a, b);
}

}  // namespace samebits
