#include "samebits/explain/quantized_findings.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

struct QuantizedMark {
  std::string_view part;  // of a name, after the layer's
  bool decides;           // false: also found beside plain weights
};
// The longest first where one begins with another.
constexpr QuantizedMark kMarks[] = {
    {"._packed_params", true},   {".weight.absmax", true},
    {".weight.quant_map", true}, {".weight.quant_state.", true},
    {".weight.nested_", true},   {".SCB", true},
    {".weight_format", false},   {".qweight", true},
    {".qzeros", true},           {".scales", false},
    {".g_idx", false},           {".weight_packed", true},
    {".weight_scale", true},     {".weight_zero_point", true},
    {".weight_shape", false},    {".weight_g_idx", false},
    {".input_scale", false},     {"._weight_qdata", true},
    {"._weight_scale", true},    {"._weight_zero_point", true},
    {".scale", false},           {".zero_point", false},
    {".weight.scales", false},   {".weight.zero_points", false},
};

/// The quantized layers of a subject and all tensors that belong to each.
using QuantizedLayers = std::map<std::string, std::vector<std::string>>;

bool is_narrow(DType type) {
  const DTypeFamily family = info(type).family;
  return family == DTypeFamily::quantized || itemsize(type) == 1 || type == DType::int32;
}

bool is_quantizing(const StoredTensor& tensor) {
  return info(tensor.view.dtype()).family == DTypeFamily::quantized ||
         tensor.identity.starts_with("quantized") ||
         tensor.identity.find("torchao.") != std::string::npos ||
         tensor.identity.find("bitsandbytes.") != std::string::npos;
}

QuantizedLayers quantized_layers(const Subject& subject) {
  std::map<std::string, std::vector<std::string>> parts;
  std::set<std::string> decided;
  const auto layer_of_weight = [](const std::string& name) {
    const std::size_t at = name.rfind(".weight");
    return at == std::string::npos ? name : name.substr(0, at);
  };
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    const auto mark =
        std::find_if(std::begin(kMarks), std::end(kMarks), [&](const QuantizedMark& each) {
          return tensor.name.find(each.part) != std::string::npos;
        });
    const std::string layer = mark == std::end(kMarks)
                                  ? layer_of_weight(tensor.name)
                                  : tensor.name.substr(0, tensor.name.find(mark->part));
    const bool weight = mark == std::end(kMarks) && tensor.name.ends_with(".weight");
    if ((mark != std::end(kMarks) && mark->decides) || is_quantizing(tensor)) decided.insert(layer);
    const bool belongs = mark != std::end(kMarks) || is_quantizing(tensor) ||
                         (weight && is_narrow(tensor.view.dtype()));
    if (belongs) parts[layer].push_back(tensor.name);
  }
  std::erase_if(parts, [&](const auto& each) { return !decided.contains(each.first); });
  return parts;
}

std::string types_of(const Subject& subject, const QuantizedLayers& layers) {
  std::set<std::string> names;
  for (const auto& [layer, parts] : layers) names.insert(parts.begin(), parts.end());
  std::set<std::string> types;
  for (const std::uint32_t index : subject.checkpoint->weights().weights) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    if (names.contains(tensor.name) && tensor.view.shape().size() >= 2 &&
        is_narrow(tensor.view.dtype()))
      types.insert(std::string(info(tensor.view.dtype()).torch));
  }
  return types.empty() ? "a quantized form" : fmt::format("{}", fmt::join(types, ", "));
}

std::set<std::string> report_quantized(Report& report, const WeightPair& pair,
                                       const Subject& holder, const QuantizedLayers& layers) {
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
  finding.summary = fmt::format("{} stored quantized in {} ({}, with scales), and not in {}",
                                counted(names.size(), "weight", "is", "are"), holder.label,
                                types_of(holder, layers), is_b ? pair.a : pair.b);
  finding.details.push_back(
      "whether they are the other side's weights, quantized, was not computed");
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  finding.remedy = "Compare with the model from before it was quantized, or quantize both alike";
  add_finding(report, std::move(finding));
  return explained;
}

}  // namespace

std::set<std::string> find_quantized(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  QuantizedLayers in_a = quantized_layers(a);
  QuantizedLayers in_b = quantized_layers(b);
  QuantizedLayers only_a = in_a;
  QuantizedLayers only_b = in_b;
  std::erase_if(only_a, [&](const auto& each) { return in_b.contains(each.first); });
  std::erase_if(only_b, [&](const auto& each) { return in_a.contains(each.first); });
  const bool equal = pair.comparison.verdict == WeightsVerdict::identical;
  std::set<std::string> explained;
  if (equal) return explained;
  if (in_a.empty() && !only_b.empty()) explained = report_quantized(report, pair, b, only_b);
  if (in_b.empty() && !only_a.empty()) explained.merge(report_quantized(report, pair, a, only_a));
  return explained;
}

}  // namespace samebits
