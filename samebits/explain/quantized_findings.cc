#include "samebits/explain/quantized_findings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/requantized_findings.h"
#include "samebits/explain/subjects.h"
#include "samebits/quantized/forms.h"
#include "samebits/quantized/step_error.h"

namespace samebits {
namespace {

std::string types_of(const Subject& subject, const QuantizedLayers& layers) {
  std::set<std::string> names;
  for (const auto& [layer, parts] : layers) names.insert(parts.begin(), parts.end());
  std::set<std::string> types;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    if (names.contains(tensor.name) && tensor.view.shape().size() >= 2 &&
        is_narrow_type(tensor.view.dtype()))
      types.insert(std::string(info(tensor.view.dtype()).torch));
  }
  return types.empty() ? "a quantized form" : fmt::format("{}", fmt::join(types, ", "));
}

using TensorsByName = std::map<std::string, const StoredTensor*>;

TensorsByName tensors_by_name(const Subject& subject) {
  TensorsByName tensors;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    if (tensor.readable) tensors.emplace(tensor.name, &tensor);
  }
  return tensors;
}

/// The tensor of that name, or the only one that has it behind or without a prefix.
const StoredTensor* tensor_like(const TensorsByName& tensors, const std::string& name) {
  if (const auto exact = tensors.find(name); exact != tensors.end()) return exact->second;
  const StoredTensor* found = nullptr;
  for (const auto& [other, tensor] : tensors) {
    if (!other.ends_with("." + name) && !name.ends_with("." + other)) continue;
    if (found != nullptr) return nullptr;
    found = tensor;
  }
  return found;
}

/// What was computed of the quantized weights of one side.
struct Dequantized {
  std::size_t computed = 0;
  std::uint64_t unequal = 0;  // elements
  bool nearest = true;
  double largest = 0;   // steps
  double relative = 0;  // largest |error| / |numbers| of a weight
  std::vector<std::string> beyond;
  std::set<std::string> forms;
};

Dequantized dequantize_against(const Subject& holder, const Subject& plain,
                               const QuantizedLayers& layers, int threads) {
  const LayerSource source(*holder.checkpoint);
  const TensorsByName others = tensors_by_name(plain);
  Dequantized out;
  for (const auto& [layer, parts] : layers) {
    const StoredTensor* numbers = tensor_like(others, layer + ".weight");
    if (numbers == nullptr) continue;
    const auto weight = read_quantized(source, layer, parts);
    const auto error = weight ? step_error(*weight, numbers->view, threads) : std::nullopt;
    if (!error) continue;
    ++out.computed;
    out.unequal += error->unequal;
    out.forms.insert(weight->form);
    out.nearest = out.nearest && weight->nearest;
    out.largest = std::max(out.largest, error->steps);
    const double relative = std::sqrt(error->squared_error / error->squared_norm);
    if (error->squared_error > 0) out.relative = std::max(out.relative, relative);
    if (error->beyond > 0) out.beyond.push_back(layer + ".weight");
  }
  return out;
}

std::string dequantized_text(const Dequantized& found, const std::string& all,
                             const std::string& plain) {
  if (found.unequal == 0)
    return fmt::format("computed for {}: the codes say {}'s numbers exactly", all, plain);
  if (found.beyond.empty())
    return fmt::format(
        "computed for {}: no code is further than {:.3g} steps from {}'s number, so these are {}'s "
        "weights rounded to the nearest code{}",
        all, found.largest, plain, plain, found.largest > kOneRounding ? " in half precision" : "");
  const std::string far = fmt::format(
      "computed for {}: {} of them stand up to {:.3g} steps from {}'s numbers, further than "
      "rounding goes (at most {:.2g} of their norm)",
      all, found.beyond.size(), found.largest, plain, found.relative);
  if (!found.nearest)
    return far + ": other weights, or what its quantizer moved to make up for other errors";
  return fmt::format("{}: other weights, or values that were clipped ({})", far,
                     some_of(found.beyond));
}

void add_dequantized(Finding& finding, const Dequantized& found, std::size_t layers,
                     const std::string& plain) {
  if (found.computed == 0) return;
  finding.details.push_back(dequantized_text(
      found, fmt::format("{} of {}", found.computed, counted(layers, "weight")), plain));
  finding.evidence["computed"] = found.computed;
  finding.evidence["largest_error"] = json_number(found.largest);
  finding.evidence["relative_error"] = json_number(found.relative);
  finding.evidence["beyond_rounding"] = found.beyond.size();
  finding.evidence["forms"] = name_list({found.forms.begin(), found.forms.end()});
}

/// "bitsandbytes nf4, blocks of 64", or by the types where not all of them could be read.
std::string forms_text(const Subject& holder, const QuantizedLayers& layers,
                       const Dequantized& found) {
  constexpr std::size_t kMostForms = 3;
  if (found.computed < layers.size() || found.forms.size() > kMostForms)
    return types_of(holder, layers) + ", with scales";
  return fmt::format("{}", fmt::join(found.forms, "; "));
}

std::set<std::string> report_quantized(Report& report, const WeightPair& pair,
                                       const Subject& holder, const QuantizedLayers& layers,
                                       int threads) {
  const bool is_b = holder.label == pair.b;
  std::set<std::string> explained;
  std::set<std::string> held;
  for (const auto& [layer, parts] : layers) held.insert(parts.begin(), parts.end());
  explained = held;
  for (const std::string& name : is_b ? pair.comparison.only_a : pair.comparison.only_b) {
    for (const char* end : {".weight", ".bias"})
      if (name.ends_with(end) &&
          layers.contains(name.substr(0, name.size() - std::string(end).size())))
        explained.insert(name);
  }
  const Subject& a = subject_of(report, pair.a);
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.empty() || match.b.empty()) continue;
    if (held.contains(weight_name(holder, is_b ? match.b[0] : match.a[0])))
      explained.insert(weight_name(a, match.a[0]));
  }
  Finding finding{.cause = "weights.quantized",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  std::vector<std::string> names;
  for (const auto& [layer, parts] : layers) names.push_back(layer + ".weight");
  const Subject& plain = subject_of(report, is_b ? pair.a : pair.b);
  const Dequantized found = dequantize_against(holder, plain, layers, threads);
  finding.summary = fmt::format("{} stored quantized in {} ({}), and not in {}",
                                counted(names.size(), "weight", "is", "are"), holder.label,
                                forms_text(holder, layers, found), plain.label);
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  add_dequantized(finding, found, layers.size(), plain.label);
  if (found.computed < layers.size())
    report.not_checked.push_back(fmt::format(
        "whether {} of {} say what {} holds was not computed",
        counted(layers.size() - found.computed, "quantized weight"), holder.label, plain.label));
  finding.remedy = "Compare with the model from before it was quantized, or quantize both alike";
  add_finding(report, std::move(finding));
  return explained;
}

/// Paths of modules whose weights torch packed into an object that no reader of tensors sees.
std::set<std::string> packed_modules(const Subject& subject) {
  std::set<std::string> paths;
  for (const ModuleRecord& module : subject.checkpoint->modules) {
    const bool packed =
        module.class_path.starts_with("torch.") && module.class_path.ends_with("PackedParams");
    const std::size_t dot = module.path.rfind('.');
    if (packed) paths.insert(dot == std::string::npos ? "" : module.path.substr(0, dot));
  }
  return paths;
}

/// Names in `alone` of the weights that the other side, `holder`, has packed.
std::set<std::string> report_packed(Report& report, const WeightPair& pair, const Subject& holder,
                                    const std::vector<std::string>& alone) {
  const std::set<std::string> modules = packed_modules(holder);
  std::vector<std::string> names;
  for (const std::string& name : alone) {
    const std::size_t dot = name.rfind('.');
    const std::string leaf = dot == std::string::npos ? name : name.substr(dot + 1);
    const std::string module = dot == std::string::npos ? "" : name.substr(0, dot);
    if ((leaf == "weight" || leaf == "bias") && modules.contains(module)) names.push_back(name);
  }
  if (names.empty()) return {};
  Finding finding{.cause = "weights.quantized",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format("{} packed in quantized modules of {}, and plain in {}",
                                counted(names.size(), "weight", "is", "are"), holder.label,
                                holder.label == pair.b ? pair.a : pair.b);
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy = "Compare with the model from before it was quantized, or quantize both alike";
  add_finding(report, std::move(finding));
  report.not_checked.push_back(fmt::format("packed weights of {} were not compared", holder.label));
  return {names.begin(), names.end()};
}

}  // namespace

std::set<std::string> find_quantized(Report& report, const WeightPair& pair, int threads) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const QuantizedLayers in_a = quantized_layers(*a.checkpoint);
  const QuantizedLayers in_b = quantized_layers(*b.checkpoint);
  QuantizedLayers only_a = in_a;
  QuantizedLayers only_b = in_b;
  std::erase_if(only_a, [&](const auto& each) { return in_b.contains(each.first); });
  std::erase_if(only_b, [&](const auto& each) { return in_a.contains(each.first); });
  const bool equal = pair.comparison.verdict == WeightsVerdict::identical;
  std::set<std::string> explained;
  if (equal) return explained;
  if (in_a.empty() && !only_b.empty())
    explained = report_quantized(report, pair, b, only_b, threads);
  if (in_b.empty() && !only_a.empty())
    explained.merge(report_quantized(report, pair, a, only_a, threads));
  explained.merge(find_requantized(report, pair, in_a, in_b, threads));
  explained.merge(report_packed(report, pair, a, pair.comparison.only_b));
  explained.merge(report_packed(report, pair, b, pair.comparison.only_a));
  return explained;
}

}  // namespace samebits
