#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "samebits/compare/rounding.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

/// How the tensors of a layer are called: flattened for safetensors, or as parts of a pickled
/// subclass.
struct TorchaoNames {
  const char *codes, *scale, *zero;
};
constexpr TorchaoNames kFlattened = {"._weight_qdata", "._weight_scale", "._weight_zero_point"};
constexpr TorchaoNames kPickled = {".weight.qdata", ".weight.scale", ".weight.zero_point"};

struct TorchaoSays {
  std::string type;  // "Int8Tensor"
  std::optional<DType> result;
};

TorchaoSays what_torchao_says(const LayerSource& source, const std::string& layer,
                              const StoredTensor& codes) {
  TorchaoSays says;
  const std::string text = source.metadata(layer + ".weight");
  const Result<Json> json =
      parse_json({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "");
  const Json* type = json ? member_of(*json, {"_type"}) : nullptr;
  if (type != nullptr && type->is_string()) {
    says.type = type->get<std::string>();
    const Json* dtype = member_of(*json, {"_data", "dtype", "_data"});
    if (dtype != nullptr && dtype->is_string())
      says.result = dtype_from_torch(dtype->get<std::string>());
    return says;
  }
  // "class torchao.quantization.Int8Tensor of bfloat16"
  constexpr std::string_view kClass = "class torchao.quantization.";
  if (!codes.note.starts_with(kClass)) return says;
  const std::size_t of = codes.note.find(" of ");
  says.type = codes.note.substr(kClass.size(), of - kClass.size());
  if (of != std::string::npos) says.result = dtype_from_torch(codes.note.substr(of + 4));
  return says;
}

bool is_read_type(const std::string& type, DType codes) {
  if (type == "Float8Tensor") return is_floating(codes);
  return codes == DType::int8 && (type == "Int8Tensor" || type == "IntxUnpackedToInt8Tensor");
}

}  // namespace

std::optional<QuantizedWeight> read_torchao(const LayerSource& source, const std::string& layer,
                                            const std::vector<std::string>& /*parts*/) {
  const bool flattened = source.find(layer + kFlattened.codes) != nullptr;
  const TorchaoNames& names = flattened ? kFlattened : kPickled;
  const StoredTensor* tensor = source.find(layer + names.codes);
  const StoredTensor* scales = source.find(layer + names.scale);
  if (tensor == nullptr || scales == nullptr || tensor->view.shape().size() != 2 ||
      !can_round_to(scales->view.dtype()))
    return std::nullopt;
  const TorchaoSays says = what_torchao_says(source, layer, *tensor);
  const DType type = tensor->view.dtype();
  const auto values = CodeValues::of_bytes(type);
  const auto codes = BitCodes::in_rows(tensor->view, 8);
  if (!is_read_type(says.type, type) || !values || !codes) return std::nullopt;
  QuantizedWeight weight;
  set_shape(weight, tensor->view.shape());
  const auto grid = even_grid(weight.rows, weight.columns, scales->view.shape());
  if (!grid) return std::nullopt;
  weight.codes = *codes;
  weight.codes_name = layer + names.codes;
  weight.values = *values;
  weight.grid = *grid;
  weight.scales = source.numbers(layer + names.scale);
  if (source.find(layer + names.zero) != nullptr) weight.zeros = source.numbers(layer + names.zero);
  weight.exact = says.result.has_value();
  weight.result = says.result.value_or(scales->view.dtype());
  if (!can_round_to(weight.result)) return std::nullopt;
  // Integers are cast to the result's type, and the product has the wider of both types.
  const bool one_type = weight.result == scales->view.dtype();
  weight.difference = is_floating(type) ? DType::float32 : weight.result;
  weight.product = one_type && !is_floating(type) ? weight.result : DType::float32;
  const bool shifted = std::ranges::any_of(weight.zeros, [](double zero) { return zero != 0; });
  if (!shifted) weight.zeros.clear();
  weight.form = fmt::format("torchao {}, {}{}", says.type, blocks_text(weight),
                            shifted ? ", zero points" : "");
  return weight;
}

}  // namespace samebits
