// compressed-tensors, transformers' fine-grained fp8, and others that write codes of a byte beside
// scales.
#include <algorithm>

#include <fmt/format.h>

#include "samebits/compare/rounding.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

/// num_bits of the weights in config_groups, where all groups have the same; 0 where it is not
/// said.
unsigned bits_in_config(const Json& config) {
  const Json* groups = member_of(config, {"config_groups"});
  if (groups == nullptr || !groups->is_object()) return 0;
  unsigned bits = 0;
  for (const Json& group : *groups) {
    const Json* said = member_of(group, {"weights", "num_bits"});
    const std::uint64_t found =
        said != nullptr && said->is_number_unsigned() ? said->get<std::uint64_t>() : 0;
    if (found == 0 || found > 8 || (bits != 0 && bits != found)) return 0;
    bits = static_cast<unsigned>(found);
  }
  return bits;
}

/// Bits of a code, by the config and the width of the packed matrix: 0 where several would fit.
/// Earlier releases let no code cross a word, which is not read.
unsigned bits_of_codes(const Json& config, std::uint64_t columns, std::uint64_t words) {
  const unsigned said = bits_in_config(config);
  unsigned found = 0;
  for (unsigned bits = said == 0 ? 1 : said; bits <= (said == 0 ? 8 : said); ++bits) {
    const bool dense = (columns * bits + 31) / 32 == words;
    const std::uint64_t in_word = 32 / bits;
    const bool apart = (columns + in_word - 1) / in_word == words;
    if (!dense && !apart) continue;
    if (found != 0 || (apart && 32 % bits != 0)) return 0;
    found = bits;
  }
  return found;
}

std::optional<Shape> matrix_shape(const LayerSource& source, const std::string& name) {
  const std::vector<double> sizes = source.numbers(name);
  if (sizes.size() != 2 || sizes[0] < 1 || sizes[1] < 1 || sizes[0] > 1e9 || sizes[1] > 1e9)
    return std::nullopt;
  return Shape{static_cast<std::int64_t>(sizes[0]), static_cast<std::int64_t>(sizes[1])};
}

/// Zero points of which the rows are packed, one row of codes for each row of scales.
bool read_packed_zeros(const LayerSource& source, const std::string& name, unsigned bits,
                       double first, QuantizedWeight& weight, std::uint64_t across) {
  const StoredTensor* tensor = source.find(name);
  const auto codes = tensor == nullptr ? std::nullopt : BitCodes::in_columns(tensor->view, bits);
  if (!codes || codes->lines() != across || codes->codes() < weight.rows) return false;
  for (std::uint64_t row = 0; row < weight.rows; ++row)
    for (std::uint64_t block = 0; block < across; ++block)
      weight.zeros.push_back(first + codes->at(block, row));
  return weight.zeros.size() == weight.scales.size();
}

/// Blocks of the config's size, of which the last ones may be smaller; nothing where it says none,
/// or these are not as many as the scales.
std::optional<ScaleGrid> grid_of_config(const Json& config, const QuantizedWeight& weight,
                                        const Shape& scales) {
  const Json* said = member_of(config, {"weight_block_size"});
  if (said == nullptr || !said->is_array() || said->size() != 2 || scales.size() != 2 ||
      !(*said)[0].is_number_unsigned() || !(*said)[1].is_number_unsigned())
    return std::nullopt;
  const auto height = (*said)[0].get<std::uint64_t>(), width = (*said)[1].get<std::uint64_t>();
  if (height == 0 || width == 0) return std::nullopt;
  const auto down = static_cast<std::uint64_t>(scales[0]);
  const auto across = static_cast<std::uint64_t>(scales[1]);
  if ((weight.rows - 1) / height + 1 != down || (weight.columns - 1) / width + 1 != across)
    return std::nullopt;
  return ScaleGrid{height, width, across, 1, {}};
}

bool is_same_grid(const ScaleGrid& a, const ScaleGrid& b, const QuantizedWeight& weight) {
  const auto same = [](std::uint64_t x, std::uint64_t y, std::uint64_t all) {
    return std::min(x, all) == std::min(y, all);
  };
  return same(a.block_rows, b.block_rows, weight.rows) &&
         same(a.block_columns, b.block_columns, weight.columns);
}

bool take_scales(const LayerSource& source, const std::string& name, QuantizedWeight& weight) {
  const StoredTensor* scales = source.find(name);
  if (scales == nullptr) return false;
  const auto even = even_grid(weight.rows, weight.columns, scales->view.shape());
  const auto said = grid_of_config(source.config(), weight, scales->view.shape());
  weight.scales = source.numbers(name);
  if ((!even && !said) || weight.scales.empty()) return false;
  weight.grid = said ? *said : *even;
  // transformers divides the matrix evenly wherever that is possible, whatever the config says.
  weight.exact = !said || !even || is_same_grid(*said, *even, weight);
  return true;
}

/// Act-order: the group of each column. -1 stands for the order of the columns. False where a group
/// has more columns than another, of which no release makes one.
bool take_order(const LayerSource& source, const std::string& name, QuantizedWeight& weight) {
  if (source.find(name) == nullptr) return true;
  const std::vector<double> listed = source.numbers(name);
  if (std::ranges::find(listed, -1) != listed.end()) return true;
  const std::uint64_t groups = weight.columns / weight.grid.block_columns;
  std::vector<std::uint64_t> members(groups);
  for (const double group : listed) {
    if (!(group >= 0 && group < static_cast<double>(groups))) return false;
    const auto at = static_cast<std::uint32_t>(group);
    ++members[at];
    weight.grid.column_block.push_back(at);
  }
  return weight.grid.block_rows == 1 && listed.size() == weight.columns &&
         std::ranges::all_of(
             members, [&](std::uint64_t count) { return count == weight.grid.block_columns; });
}

std::string order_text(const QuantizedWeight& weight) {
  return weight.grid.column_block.empty() ? "" : " in act-order";
}

void compute_in(QuantizedWeight& weight, DType type) {
  weight.difference = weight.product = weight.result = type;
}

}  // namespace

std::optional<QuantizedWeight> read_compressed_packed(const LayerSource& source,
                                                      const std::string& layer,
                                                      const std::vector<std::string>& /*parts*/) {
  const std::string name = layer + ".weight";
  const StoredTensor* packed = source.find(name + "_packed");
  const StoredTensor* scales = source.find(name + "_scale");
  const auto shape = matrix_shape(source, name + "_shape");
  if (packed == nullptr || scales == nullptr || !shape || packed->view.dtype() != DType::int32 ||
      packed->view.shape().size() != 2 || !can_round_to(scales->view.dtype()))
    return std::nullopt;
  QuantizedWeight weight;
  set_shape(weight, *shape);
  const unsigned bits = bits_of_codes(source.config(), weight.columns,
                                      static_cast<std::uint64_t>(packed->view.shape()[1]));
  const auto codes = bits == 0 ? std::nullopt : BitCodes::in_rows(packed->view, bits);
  if (!codes || !take_scales(source, name + "_scale", weight) ||
      !take_order(source, name + "_g_idx", weight))
    return std::nullopt;
  const double first = -static_cast<double>(1U << (bits - 1));
  weight.codes = *codes;
  weight.codes_name = name + "_packed";
  weight.values = CodeValues::integers(bits, first);
  compute_in(weight, scales->view.dtype());
  const std::string zeros = name + "_zero_point";
  if (source.find(zeros) != nullptr &&
      !read_packed_zeros(source, zeros, bits, first, weight, weight.scales.size() / weight.rows))
    return std::nullopt;
  weight.form =
      fmt::format("compressed-tensors pack-quantized, {} bits, {}{}{}", bits, blocks_text(weight),
                  order_text(weight), weight.zeros.empty() ? "" : ", zero points");
  return weight;
}

/// Codes of a byte under the weight's own name, beside `weight_scale` or `weight_scale_inv`.
std::optional<QuantizedWeight> read_scaled_bytes(const LayerSource& source,
                                                 const std::string& layer,
                                                 const std::vector<std::string>& /*parts*/) {
  const std::string name = layer + ".weight";
  const StoredTensor* tensor = source.find(name);
  const bool inverse = source.find(name + "_scale_inv") != nullptr;
  const std::string scale_name = name + (inverse ? "_scale_inv" : "_scale");
  const StoredTensor* scales = source.find(scale_name);
  if (tensor == nullptr || scales == nullptr || tensor->view.shape().size() != 2 ||
      !can_round_to(scales->view.dtype()) || itemsize(scales->view.dtype()) < 2)
    return std::nullopt;
  const DType type = tensor->view.dtype();
  const auto values = CodeValues::of_bytes(type);
  const auto codes = BitCodes::in_rows(tensor->view, 8);
  // Integers beside weight_scale_inv would be pairs of four-bit floats.
  if (!values || !codes || (!is_floating(type) && (inverse || type != DType::int8)))
    return std::nullopt;
  QuantizedWeight weight;
  set_shape(weight, tensor->view.shape());
  if (!take_scales(source, scale_name, weight) || !take_order(source, name + "_g_idx", weight))
    return std::nullopt;
  weight.codes = *codes;
  weight.codes_name = name;
  weight.values = *values;
  compute_in(weight, scales->view.dtype());
  if (inverse) weight.difference = weight.product = DType::float32;
  if (source.find(name + "_zero_point") != nullptr) {
    weight.zeros = source.numbers(name + "_zero_point");
    if (weight.zeros.size() != weight.scales.size()) return std::nullopt;
  }
  const std::string of = std::string(info(type).torch);
  weight.form = fmt::format(
      "{}{}, {}{}{}", of, inverse ? " with weight_scale_inv" : " with weight_scale",
      blocks_text(weight), order_text(weight), weight.zeros.empty() ? "" : ", zero points");
  return weight;
}

}  // namespace samebits
