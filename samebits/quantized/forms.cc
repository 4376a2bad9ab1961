#include "samebits/quantized/forms.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>

namespace samebits {
namespace {

/// The first that reads a layer decides; each looks at names that no other one has.
constexpr std::array<ReadForm*, 8> kForms = {read_bitsandbytes_4bit,
                                             read_bitsandbytes_int8,
                                             read_compressed_packed,
                                             read_torchao,
                                             read_scaled_bytes,
                                             read_gptq,
                                             read_awq,
                                             read_torch_quantized};

}  // namespace

std::optional<QuantizedWeight> read_quantized(const LayerSource& source, const std::string& layer,
                                              const std::vector<std::string>& parts) {
  for (ReadForm* read : kForms)
    if (auto weight = read(source, layer, parts))
      return weight->fits() ? std::move(weight) : std::nullopt;
  return std::nullopt;
}

std::vector<FormCount> count_forms(const Checkpoint& checkpoint) {
  const LayerSource source(checkpoint);
  std::map<std::string, std::size_t> counts;
  for (const auto& [layer, parts] : quantized_layers(checkpoint)) {
    const auto weight = read_quantized(source, layer, parts);
    ++counts[weight ? weight->form : ""];
  }
  std::vector<FormCount> forms;
  for (const auto& [form, count] : counts) forms.push_back({form, count});
  std::ranges::stable_sort(forms, std::greater(), &FormCount::count);
  return forms;
}

std::optional<ScaleGrid> even_grid(std::uint64_t rows, std::uint64_t columns,
                                   const Shape& shape_of_scales) {
  Shape scale_shape = shape_of_scales;
  while (scale_shape.size() > 2 && scale_shape.back() == 1) scale_shape.pop_back();
  std::uint64_t down = 1, across = 1;
  if (scale_shape.size() > 2) return std::nullopt;
  if (!scale_shape.empty()) down = static_cast<std::uint64_t>(scale_shape[0]);
  if (scale_shape.size() == 2) across = static_cast<std::uint64_t>(scale_shape[1]);
  if (down == 0 || across == 0 || rows % down != 0 || columns % across != 0) return std::nullopt;
  ScaleGrid grid;
  grid.block_rows = rows / down;
  grid.block_columns = columns / across;
  grid.row_step = down == 1 ? 0 : across;
  grid.column_step = across == 1 ? 0 : 1;
  return grid;
}

void set_shape(QuantizedWeight& weight, const Shape& shape) {
  weight.shape = shape;
  weight.rows = shape.empty() ? 1 : static_cast<std::uint64_t>(shape[0]);
  weight.columns = 1;
  for (std::size_t i = 1; i < shape.size(); ++i)
    weight.columns *= static_cast<std::uint64_t>(shape[i]);
}

}  // namespace samebits
