#include <algorithm>

#include <fmt/format.h>

#include "samebits/compare/rounding.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

/// What `quant_state.bitsandbytes__nf4` says: JSON in a tensor of uint8.
Json state_of(const LayerSource& source, const std::string& weight, std::string& type) {
  constexpr std::uint64_t kLargest = 1 << 16;
  for (const char* each : {"nf4", "fp4"}) {
    const StoredTensor* tensor = source.find(weight + ".quant_state.bitsandbytes__" + each);
    if (tensor == nullptr || tensor->view.dtype() != DType::uint8 ||
        tensor->view.numel() > kLargest)
      continue;
    std::vector<std::uint8_t> scratch;
    const Result<Json> json =
        parse_json(tensor->view.row_major_range(0, tensor->view.numel(), scratch), "");
    type = each;
    if (json && json->is_object()) return *json;
  }
  return nullptr;
}

std::optional<Shape> shape_in(const Json& state) {
  if (!state.contains("shape") || !state["shape"].is_array()) return std::nullopt;
  Shape shape;
  for (const Json& size : state["shape"]) {
    if (!size.is_number_integer()) return std::nullopt;
    shape.push_back(size.get<std::int64_t>());
    if (shape.back() < 0) return std::nullopt;
  }
  return element_count(shape) ? std::optional(shape) : std::nullopt;
}

std::uint64_t size_in(const Json& state, const char* key) {
  const auto found = state.find(key);
  return found != state.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

/// int8, to which nothing is rounded, where it does not say.
DType result_type_in(const Json& state) {
  const auto found = state.find("dtype");
  const std::string name =
      found != state.end() && found->is_string() ? found->get<std::string>() : "";
  return dtype_from_torch(name).value_or(DType::int8);
}

std::uint64_t blocks_for(std::uint64_t elements, std::uint64_t size) {
  return elements / size + (elements % size != 0 ? 1 : 0);
}

/// How far such a code may be from the value that was rounded to it: half the widest gap.
double nested_error(const LayerSource& source, const std::string& weight) {
  const auto values = CodeValues::of_table(source.numbers(weight + ".nested_quant_map"));
  const std::vector<double> largest = source.numbers(weight + ".nested_absmax");
  if (!values || largest.empty()) return 0;
  return std::ranges::max(values->up) / 2 * std::ranges::max(largest);
}

/// The largest absolute values of blocks, which are themselves 8-bit codes of a table.
std::vector<double> nested_scales(const LayerSource& source, const std::string& weight,
                                  const Json& state) {
  const std::vector<double> codes = source.numbers(weight + ".absmax");
  const std::vector<double> table = source.numbers(weight + ".nested_quant_map");
  const std::vector<double> largest = source.numbers(weight + ".nested_absmax");
  const std::uint64_t size = size_in(state, "nested_blocksize");
  const auto offset = state.find("nested_offset");
  if (size == 0 || table.size() != 256 || offset == state.end() || !offset->is_number() ||
      largest.size() < blocks_for(codes.size(), size))
    return {};
  const auto shift = static_cast<float>(offset->get<double>());
  std::vector<double> scales;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto product =
        static_cast<float>(table[static_cast<std::size_t>(codes[i])] * largest[i / size]);
    scales.push_back(product + shift);
  }
  return scales;
}

}  // namespace

std::optional<QuantizedWeight> read_bitsandbytes_4bit(const LayerSource& source,
                                                      const std::string& layer,
                                                      const std::vector<std::string>& /*parts*/) {
  const std::string name = layer + ".weight";
  std::string type;
  const Json state = state_of(source, name, type);
  const StoredTensor* packed = source.find(name);
  if (!state.is_object() || packed == nullptr) return std::nullopt;
  const auto shape = shape_in(state);
  const std::uint64_t size = size_in(state, "blocksize");
  const DType dtype = result_type_in(state);
  if (!shape || size == 0 || !can_round_to(dtype)) return std::nullopt;
  const StoredTensor* absmax = source.find(name + ".absmax");
  const std::vector<double> table = source.numbers(name + ".quant_map");
  const auto values = CodeValues::of_table(table);
  if (absmax == nullptr || !values || table.size() != 16) return std::nullopt;
  const bool nested = absmax->view.dtype() == DType::uint8;
  const auto codes = BitCodes::in_one_line(packed->view, 4, kHighFirst);
  if (!codes) return std::nullopt;
  QuantizedWeight weight;
  set_shape(weight, *shape);
  weight.columns *= weight.rows;
  weight.rows = 1;
  weight.codes = *codes;
  weight.codes_name = layer + ".weight";
  weight.values = *values;
  weight.scales = nested ? nested_scales(source, name, state) : source.numbers(name + ".absmax");
  weight.grid = {.block_columns = size, .column_step = 1};
  if (nested) weight.scale_error = nested_error(source, name);
  weight.result = dtype;
  weight.form = fmt::format("bitsandbytes {}, {}{}", type, blocks_text(weight),
                            nested ? ", double quantized" : "");
  return weight;
}

std::optional<QuantizedWeight> read_bitsandbytes_int8(const LayerSource& source,
                                                      const std::string& layer,
                                                      const std::vector<std::string>& /*parts*/) {
  const StoredTensor* tensor = source.find(layer + ".weight");
  const StoredTensor* largest = source.find(layer + ".SCB");
  if (tensor == nullptr || largest == nullptr || tensor->view.dtype() != DType::int8 ||
      tensor->view.shape().size() < 2)
    return std::nullopt;
  QuantizedWeight weight;
  set_shape(weight, tensor->view.shape());
  const auto codes = BitCodes::in_rows(tensor->view, 8);
  if (!codes) return std::nullopt;
  weight.codes = *codes;
  weight.codes_name = layer + ".weight";
  weight.values = *CodeValues::of_bytes(DType::int8);
  weight.scales = source.numbers(layer + ".SCB");
  if (weight.scales.size() != weight.rows) return std::nullopt;
  weight.grid = {.block_columns = weight.columns, .row_step = 1};
  weight.factor = static_cast<double>(1.0F / 127);
  weight.form = "bitsandbytes int8, a scale for each row";
  return weight;
}

}  // namespace samebits
