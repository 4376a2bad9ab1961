#include "samebits/explain/quantized_findings.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/dequantized.h"
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

bool is_narrow_type(DType type) {
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
                         (weight && is_narrow_type(tensor.view.dtype()));
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

std::vector<double> numbers_of(const TensorsByName& tensors, const std::string& name) {
  constexpr std::uint64_t kMostScales = 1 << 22;
  const auto found = tensors.find(name);
  if (found == tensors.end()) return {};
  const TensorView& view = found->second->view;
  if (!has_element_values(view.dtype()) || view.numel() > kMostScales) return {};
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  std::vector<double> numbers;
  for (std::uint64_t i = 0; i < view.numel(); ++i)
    numbers.push_back(element_as_double(view.dtype(), bytes.data() + i * itemsize(view.dtype())));
  return numbers;
}

/// "0.02" of "quantized per_tensor_affine, scale 0.02, zero point 3".
std::optional<double> number_after(const std::string& note, std::string_view word) {
  const std::size_t at = note.find(word);
  if (at == std::string::npos) return std::nullopt;
  double number = 0;
  const char* begin = note.data() + at + word.size();
  if (std::from_chars(begin, note.data() + note.size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

/// How a layer's integers mean numbers, where the file says it: torch's own tensors, and int8 with
/// SCB of bitsandbytes (the largest of each row, which is 127 steps).
struct ReadableLayer {
  const StoredTensor* integers;
  QuantizedScale by;
  const char* scales;  // in words
};

std::optional<ReadableLayer> readable_layer(const TensorsByName& tensors, const std::string& layer,
                                            const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    const auto found = tensors.find(part);
    if (found == tensors.end() || found->second->view.shape().size() < 2) continue;
    const StoredTensor& tensor = *found->second;
    ReadableLayer read{&tensor, {}, "one scale"};
    if (tensor.view.dtype() == DType::qint8 || tensor.view.dtype() == DType::quint8) {
      if (const auto scale = number_after(tensor.identity, ", scale ")) {
        read.by = {{*scale}, {number_after(tensor.identity, ", zero point ").value_or(0)}};
        return read;
      }
      const auto axis = number_after(tensor.identity, ", axis ");
      read.by = {numbers_of(tensors, part + ".scales"), numbers_of(tensors, part + ".zero_points"),
                 static_cast<std::size_t>(axis.value_or(0))};
      read.scales = "a scale for each channel";
      const bool affine = tensor.identity.find("per_channel_affine,") != std::string::npos;
      if (affine && axis && *axis >= 0 && !read.by.scales.empty()) return read;
    } else if (tensor.view.dtype() == DType::int8 && part == layer + ".weight") {
      read.by.scales = numbers_of(tensors, layer + ".SCB");
      for (double& scale : read.by.scales) scale /= 127;
      read.scales = "a scale for each row";
      if (!read.by.scales.empty()) return read;
    }
  }
  return std::nullopt;
}

/// What the integers say, held against the other side's numbers.
void add_dequantized(Report& report, Finding& finding, const Subject& holder, const Subject& plain,
                     const QuantizedLayers& layers) {
  const TensorsByName own = tensors_by_name(holder);
  const TensorsByName others = tensors_by_name(plain);
  std::size_t computed = 0;
  std::vector<std::string> beyond;
  double largest = 0;
  std::set<std::string> scales;
  for (const auto& [layer, parts] : layers) {
    const auto read = readable_layer(own, layer, parts);
    const StoredTensor* numbers = read ? tensor_like(others, layer + ".weight") : nullptr;
    if (numbers == nullptr) continue;
    const auto error = dequantized_error(read->integers->view, read->by, numbers->view);
    if (!error) continue;
    ++computed;
    scales.insert(read->scales);
    largest = std::max(largest, error->steps);
    if (error->beyond > 0) beyond.push_back(layer + ".weight");
  }
  if (computed > 0) {
    const std::string all = fmt::format("{} of {}", computed, counted(layers.size(), "weight"));
    finding.details.push_back(
        beyond.empty()
            ? fmt::format("computed for {}: no integer is further than {:.3g} steps of its scale "
                          "from {}'s number, so these are {}'s weights rounded to 8 bits with {}",
                          all, largest, plain.label, plain.label, fmt::join(scales, " or "))
            : fmt::format(
                  "computed for {}: {} of them stand up to {:.3g} steps of their scale from "
                  "{}'s numbers, further than rounding goes: other weights, or values that "
                  "were clipped ({})",
                  all, beyond.size(), largest, plain.label, some_of(beyond)));
    finding.evidence["computed"] = computed;
    finding.evidence["largest_error"] = json_number(largest);
    finding.evidence["beyond_rounding"] = beyond.size();
  }
  if (computed == layers.size()) return;
  const std::string rest = counted(layers.size() - computed, "quantized weight");
  report.not_checked.push_back(fmt::format("whether {} of {} say what {} holds was not computed",
                                           rest, holder.label, plain.label));
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
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  add_dequantized(report, finding, holder, subject_of(report, is_b ? pair.a : pair.b), layers);
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
  explained.merge(report_packed(report, pair, a, pair.comparison.only_b));
  explained.merge(report_packed(report, pair, b, pair.comparison.only_a));
  return explained;
}

}  // namespace samebits
