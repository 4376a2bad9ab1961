// GPTQ and AWQ: codes in 32-bit words of a matrix [in, out], scales and zero points for each group
// of inputs.
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "samebits/compare/rounding.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

std::int64_t integer_in(const Json& config, const char* key, std::int64_t otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                             : otherwise;
}

std::string word_in(const Json& config, const char* key) {
  const auto found = config.find(key);
  if (found == config.end() || !found->is_string()) return "";
  std::string word = found->get<std::string>();
  std::ranges::transform(word, word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return word;
}

/// The tensors that both forms have.
struct GroupedWords {
  const StoredTensor *codes, *zeros, *scales;
  unsigned bits = 0;
  std::uint64_t inputs = 0, outputs = 0, groups = 0;
};

std::optional<GroupedWords> grouped_words(const LayerSource& source, const std::string& layer,
                                          const char* method) {
  const Json& config = source.config();
  if (!config.is_object() || word_in(config, "quant_method") != method) return std::nullopt;
  GroupedWords words{source.find(layer + ".qweight"), source.find(layer + ".qzeros"),
                     source.find(layer + ".scales")};
  for (const StoredTensor* each : {words.codes, words.zeros, words.scales})
    if (each == nullptr || each->view.shape().size() != 2) return std::nullopt;
  const std::int64_t bits = integer_in(config, "bits", 0);
  if (bits < 2 || bits > 8 || !can_round_to(words.scales->view.dtype()) ||
      words.zeros->view.dtype() != DType::int32 || words.codes->view.dtype() != DType::int32)
    return std::nullopt;
  words.bits = static_cast<unsigned>(bits);
  words.groups = static_cast<std::uint64_t>(words.scales->view.shape()[0]);
  words.outputs = static_cast<std::uint64_t>(words.scales->view.shape()[1]);
  return words;
}

/// All of it but the codes.
std::optional<QuantizedWeight> of_groups(const LayerSource& source, const std::string& layer,
                                         const GroupedWords& words, const CodeOrder& order,
                                         unsigned more) {
  const auto zeros = BitCodes::in_rows(words.zeros->view, words.bits, order);
  if (!zeros || zeros->lines() != words.groups || zeros->codes() < words.outputs)
    return std::nullopt;
  QuantizedWeight weight;
  set_shape(weight,
            {static_cast<std::int64_t>(words.outputs), static_cast<std::int64_t>(words.inputs)});
  weight.values = CodeValues::integers(words.bits, 0);
  weight.scales = source.numbers(layer + ".scales");
  if (weight.scales.size() != words.groups * words.outputs) return std::nullopt;
  const unsigned largest = (1U << words.bits) - 1;
  for (std::uint64_t group = 0; group < words.groups; ++group)
    for (std::uint64_t output = 0; output < words.outputs; ++output) {
      const unsigned zero = zeros->at(group, output);
      if (zero + more > largest) return std::nullopt;  // what it wraps to depends on the reader
      weight.zeros.push_back(zero + more);
    }
  weight.grid = {.row_step = 1, .column_step = words.groups == 1 ? 0 : words.outputs};
  weight.difference = DType::float64;  // of integers
  weight.product = weight.result = words.scales->view.dtype();
  weight.nearest = false;
  return weight;
}

/// The group of each input, in order or as `g_idx` says. False where groups of the config's size do
/// not cover the inputs.
bool take_groups(const LayerSource& source, const std::string& layer, std::uint64_t groups,
                 QuantizedWeight& weight) {
  const std::int64_t said = integer_in(source.config(), "group_size", 0);
  const std::uint64_t size = said > 0 ? static_cast<std::uint64_t>(said) : weight.columns;
  if ((weight.columns + size - 1) / size != groups) return false;
  weight.grid.block_columns = size;
  const std::vector<double> listed = source.numbers(layer + ".g_idx");
  if (listed.empty()) return source.find(layer + ".g_idx") == nullptr;
  bool in_order = listed.size() == weight.columns;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (!(listed[i] >= 0 && listed[i] < static_cast<double>(groups))) return false;
    weight.grid.column_block.push_back(static_cast<std::uint32_t>(listed[i]));
    in_order = in_order && weight.grid.column_block[i] == i / size;
  }
  if (in_order) weight.grid.column_block.clear();
  return in_order || weight.grid.column_block.size() == weight.columns;
}

}  // namespace

std::optional<QuantizedWeight> read_gptq(const LayerSource& source, const std::string& layer,
                                         const std::vector<std::string>& /*parts*/) {
  auto words = grouped_words(source, layer, "gptq");
  if (!words) return std::nullopt;
  const std::string format = word_in(source.config(), "checkpoint_format");
  const bool second = format == "gptq_v2";
  if (!format.empty() && format != "gptq" && !second) return std::nullopt;  // marlin and the like
  const auto codes = BitCodes::in_columns(words->codes->view, words->bits);
  if (!codes || codes->lines() != words->outputs) return std::nullopt;
  words->inputs = codes->codes();
  // The first format stores zero points less one.
  auto weight = of_groups(source, layer, *words, kInOrder, second ? 0 : 1);
  if (!weight || !take_groups(source, layer, words->groups, *weight)) return std::nullopt;
  weight->codes = *codes;
  weight->codes_name = layer + ".qweight";
  weight->lines_are_columns = false;
  weight->form = fmt::format("GPTQ, {} bits, {}{}{}", words->bits, blocks_text(*weight),
                             weight->grid.column_block.empty() ? "" : " in act-order",
                             second ? ", second format" : "");
  return weight;
}

std::optional<QuantizedWeight> read_awq(const LayerSource& source, const std::string& layer,
                                        const std::vector<std::string>& /*parts*/) {
  auto words = grouped_words(source, layer, "awq");
  if (!words || words->bits != 4) return std::nullopt;
  const std::string version = word_in(source.config(), "version");
  if (!version.empty() && version != "gemm") return std::nullopt;
  words->inputs = static_cast<std::uint64_t>(words->codes->view.shape()[0]);
  const auto codes = BitCodes::in_rows(words->codes->view, 4, kInterleaved);
  if (!codes || codes->codes() != words->outputs) return std::nullopt;
  auto weight = of_groups(source, layer, *words, kInterleaved, 0);
  if (!weight || !take_groups(source, layer, words->groups, *weight)) return std::nullopt;
  weight->codes = *codes;
  weight->codes_name = layer + ".qweight";
  weight->lines_are_columns = true;
  weight->form = "AWQ, 4 bits, " + blocks_text(*weight);
  return weight;
}

}  // namespace samebits
