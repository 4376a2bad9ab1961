// torch's own tensors of 8 bits, with one scale or one for each channel.
#include <charconv>

#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

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

/// Scales along an axis other than the first: the columns before it and behind it make this a list.
bool lay_along_axis(QuantizedWeight& weight, double axis) {
  if (axis < 0 || axis >= static_cast<double>(weight.shape.size())) return false;
  const auto at = static_cast<std::size_t>(axis);
  if (weight.scales.size() != static_cast<std::uint64_t>(weight.shape[at])) return false;
  if (at == 0) {
    weight.grid = {.block_columns = weight.columns, .row_step = 1};
    return true;
  }
  std::uint64_t behind = 1;
  for (std::size_t i = at + 1; i < weight.shape.size(); ++i)
    behind *= static_cast<std::uint64_t>(weight.shape[i]);
  weight.grid = {.column_step = 1};
  for (std::uint64_t column = 0; column < weight.columns; ++column)
    weight.grid.column_block.push_back(
        static_cast<std::uint32_t>(column / behind % weight.scales.size()));
  return true;
}

bool take_affine(const LayerSource& source, const StoredTensor& tensor, QuantizedWeight& weight) {
  if (const auto scale = number_after(tensor.identity, ", scale ")) {
    weight.scales = {*scale};
    weight.zeros = {number_after(tensor.identity, ", zero point ").value_or(0)};
    return true;
  }
  const auto axis = number_after(tensor.identity, ", axis ");
  if (!axis || tensor.identity.find("per_channel_affine,") == std::string::npos) return false;
  weight.scales = source.numbers(tensor.name + ".scales");
  weight.zeros = source.numbers(tensor.name + ".zero_points");
  return lay_along_axis(weight, *axis);
}

}  // namespace

std::optional<QuantizedWeight> read_torch_quantized(const LayerSource& source,
                                                    const std::string& /*layer*/,
                                                    const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    const StoredTensor* tensor = source.find(part);
    if (tensor == nullptr || tensor->view.shape().size() < 2 ||
        (tensor->view.dtype() != DType::qint8 && tensor->view.dtype() != DType::quint8))
      continue;
    QuantizedWeight weight;
    set_shape(weight, tensor->view.shape());
    const auto codes = BitCodes::in_rows(tensor->view, 8);
    if (!codes || !take_affine(source, *tensor, weight)) return std::nullopt;
    weight.codes = *codes;
    weight.codes_name = part;
    weight.values = *CodeValues::of_bytes(tensor->view.dtype());
    // torch may fuse the product and the shift: the last bit depends on the processor.
    weight.exact = false;
    weight.form =
        "torch " + std::string(info(tensor->view.dtype()).torch) + ", " + blocks_text(weight);
    return weight;
  }
  return std::nullopt;
}

}  // namespace samebits
