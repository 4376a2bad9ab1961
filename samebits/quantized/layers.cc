#include "samebits/quantized/layers.h"

#include <algorithm>
#include <set>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

struct QuantizedMark {
  std::string_view part;  // of a name, after the layer's
  bool decides;           // false: also found beside plain weights
};
// The longest first where one begins with another.
constexpr QuantizedMark kMarks[] = {
    {"._packed_params", true},
    {".weight.absmax", true},
    {".weight.quant_map", true},
    {".weight.quant_state.", true},
    {".weight.nested_", true},
    {".weight.qdata", true},
    {".SCB", true},
    {".weight_format", false},
    {".qweight", true},
    {".qzeros", true},
    {".weight.scales", false},
    {".weight.zero_points", false},
    {".weight.scale", false},
    {".weight.zero_point", false},
    {".scales", false},
    {".g_idx", false},
    {".weight_packed", true},
    {".weight_scale", true},
    {".weight_zero_point", true},
    {".weight_shape", false},
    {".weight_global_scale", true},
    {".weight_g_idx", false},
    {".input_scale", false},
    {"._weight_qdata", true},
    {"._weight_scale", true},
    {"._weight_zero_point", true},
    {".scale", false},
    {".zero_point", false},
};

const QuantizedMark* mark_in(const std::string& name) {
  for (const QuantizedMark& mark : kMarks)
    if (name.find(mark.part) != std::string::npos) return &mark;
  return nullptr;
}

bool is_quantizing(const StoredTensor& tensor) {
  return info(tensor.view.dtype()).family == DTypeFamily::quantized ||
         tensor.identity.starts_with("quantized") ||
         tensor.identity.find("torchao.") != std::string::npos ||
         tensor.identity.find("bitsandbytes.") != std::string::npos;
}

std::string layer_of_weight(const std::string& name) {
  const std::size_t at = name.rfind(".weight");
  return at == std::string::npos ? name : name.substr(0, at);
}

}  // namespace

bool is_narrow_type(DType type) {
  const DTypeFamily family = info(type).family;
  return family == DTypeFamily::quantized || itemsize(type) == 1 || type == DType::int32;
}

const Json* member_of(const Json& object, std::initializer_list<const char*> names) {
  const Json* found = &object;
  for (const char* name : names) {
    if (!found->is_object()) return nullptr;
    const auto at = found->find(name);
    if (at == found->end()) return nullptr;
    found = &*at;
  }
  return found;
}

QuantizedLayers quantized_layers(const Checkpoint& checkpoint) {
  QuantizedLayers parts;
  std::set<std::string> decided;
  if (!checkpoint.has_weights()) return parts;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const QuantizedMark* mark = mark_in(tensor.name);
    const std::string layer = mark == nullptr ? layer_of_weight(tensor.name)
                                              : tensor.name.substr(0, tensor.name.find(mark->part));
    const bool weight = mark == nullptr && tensor.name.ends_with(".weight");
    if ((mark != nullptr && mark->decides) || is_quantizing(tensor)) decided.insert(layer);
    const bool belongs =
        mark != nullptr || is_quantizing(tensor) || (weight && is_narrow_type(tensor.view.dtype()));
    if (belongs) parts[layer].push_back(tensor.name);
  }
  std::erase_if(parts, [&](const auto& each) { return !decided.contains(each.first); });
  return parts;
}

LayerSource::LayerSource(const Checkpoint& checkpoint) {
  if (checkpoint.has_weights())
    for (const std::uint32_t index : checkpoint.weights().weights) {
      const StoredTensor& tensor = checkpoint.entries[index];
      if (tensor.readable) tensors_.emplace(tensor.name, &tensor);
    }
  if (checkpoint.config.is_object() && checkpoint.config.contains("quantization_config"))
    config_ = checkpoint.config["quantization_config"];
  if (checkpoint.producer.is_object() && checkpoint.producer.contains("metadata") &&
      checkpoint.producer["metadata"].is_object())
    metadata_ = &checkpoint.producer["metadata"];
}

const StoredTensor* LayerSource::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second;
}

std::vector<double> LayerSource::numbers(const std::string& name) const {
  constexpr std::uint64_t kMostScales = 1 << 26;
  const StoredTensor* tensor = find(name);
  if (tensor == nullptr || !has_element_values(tensor->view.dtype()) ||
      tensor->view.numel() > kMostScales)
    return {};
  std::vector<double> numbers;
  numbers.reserve(tensor->view.numel());
  for_each_number(tensor->view, [&](double number) { numbers.push_back(number); });
  return numbers;
}

std::string LayerSource::metadata(const std::string& name) const {
  if (metadata_ == nullptr) return "";
  const auto found = metadata_->find(name);
  return found != metadata_->end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace samebits
