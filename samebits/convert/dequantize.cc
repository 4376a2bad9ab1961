#include "samebits/convert/dequantize.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include <fmt/format.h>

#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/convert/planned_bytes.h"
#include "samebits/explain/subjects.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

struct DecodedLayer {
  std::string codes_name;
  TensorView view;
};

Error cannot_dequantize(const Checkpoint& checkpoint, ErrorCode code, std::string what,
                        std::string hint) {
  return {.code = code, .what = std::move(what), .file = checkpoint.path, .hint = std::move(hint)};
}

Result<DecodedLayer> decode(const QuantizedWeight& weight, ScratchFile& scratch) {
  constexpr std::uint64_t kRun = 1 << 14;
  const std::uint64_t size = itemsize(weight.result);
  const std::span<std::uint8_t> bytes = scratch.take(weight.numel() * size);
  DecodedRun run;
  for (std::uint64_t first = 0; first < weight.numel(); first += kRun) {
    const std::uint64_t count = std::min(kRun, weight.numel() - first);
    weight.read(first, count, run);
    for (std::uint64_t i = 0; i < count; ++i)
      put_number(weight.result, run.numbers[i], bytes.data() + (first + i) * size);
  }
  SAMEBITS_TRY(const TensorView view, TensorView::make(weight.result, weight.shape,
                                                       contiguous_strides(weight.shape), 0, bytes));
  return DecodedLayer{weight.codes_name, view};
}

using DecodedLayers = std::map<std::string, DecodedLayer>;

Result<DecodedLayers> decode_all(const Checkpoint& checkpoint, const QuantizedLayers& layers,
                                 const std::string& folder, DequantizedWeights& done) {
  const LayerSource source(checkpoint);
  std::map<std::string, QuantizedWeight> weights;
  std::vector<std::string> unread;
  std::set<std::string> forms;
  std::uint64_t bytes = 0;
  for (const auto& [layer, parts] : layers) {
    auto weight = read_quantized(source, layer, parts);
    if (!weight || !weight->exact || !can_cast_to(weight->result)) {
      unread.push_back(layer + ".weight");
      continue;
    }
    bytes += weight->numel() * itemsize(weight->result);
    forms.insert(weight->form);
    weights.emplace(layer, *std::move(weight));
  }
  if (!unread.empty())
    return fail(cannot_dequantize(
        checkpoint, ErrorCode::unsupported,
        some_of(unread) + ": quantized in a form whose numbers are not known to the last bit",
        "Dequantize it with the library that made it, then convert"));
  SAMEBITS_TRY(const std::shared_ptr<ScratchFile> scratch, ScratchFile::create(folder, bytes));
  done = {weights.size(), {forms.begin(), forms.end()}, scratch};
  WorkStep step("dequantizing", bytes);
  DecodedLayers decoded;
  for (const auto& [layer, weight] : weights) {
    SAMEBITS_TRY(DecodedLayer each, decode(weight, *scratch));
    step.add(each.view.nbytes());
    decoded.emplace(layer, std::move(each));
  }
  return decoded;
}

void put_in_place(Checkpoint& checkpoint, StoredTensor& tensor, const std::string& layer,
                  const DecodedLayer& decoded) {
  const bool below = tensor.path.ends_with(tensor.name);
  tensor.path = below ? tensor.path.substr(0, tensor.path.size() - tensor.name.size()) : "";
  tensor.path += layer + ".weight";
  tensor.name = layer + ".weight";
  tensor.view = decoded.view;
  tensor.storage = next_storage_id(checkpoint);
  tensor.storage_bytes = decoded.view.nbytes();
  tensor.identity.clear();
  tensor.note.clear();
}

/// What says of the file that its weights are quantized, and would be untrue of the result.
void forget_quantization(Checkpoint& checkpoint) {
  if (checkpoint.config.is_object()) checkpoint.config.erase("quantization_config");
  if (!checkpoint.producer.is_object() || !checkpoint.producer.contains("metadata")) return;
  Json kept = Json::object();
  for (const auto& [name, value] : checkpoint.producer["metadata"].items()) {
    const bool of_torchao =
        value.is_string() && value.get<std::string>().find("\"_type\"") != std::string::npos;
    if (!of_torchao && name != "tensor_names") kept[name] = value;
  }
  checkpoint.producer["metadata"] = std::move(kept);
}

}  // namespace

Result<DequantizedWeights> dequantize_weights(Checkpoint& checkpoint, const std::string& folder) {
  const QuantizedLayers layers = quantized_layers(checkpoint);
  if (layers.empty())
    return fail(cannot_dequantize(checkpoint, ErrorCode::usage,
                                  "none of its weights is known to be quantized",
                                  "Leave --dequantize out"));
  DequantizedWeights done;
  SAMEBITS_TRY(const DecodedLayers decoded, decode_all(checkpoint, layers, folder, done));
  std::map<std::string, std::string> layer_of;
  for (const auto& [layer, parts] : layers)
    for (const std::string& part : parts) layer_of.emplace(part, layer);
  std::vector<std::uint32_t>& weights = checkpoint.candidates[checkpoint.chosen].weights;
  std::vector<std::uint32_t> kept;
  for (const std::uint32_t index : weights) {
    StoredTensor& tensor = checkpoint.entries[index];
    const auto layer = layer_of.find(tensor.name);
    if (layer == layer_of.end()) {
      kept.push_back(index);
    } else if (const DecodedLayer& each = decoded.at(layer->second);
               each.codes_name == tensor.name) {
      put_in_place(checkpoint, tensor, layer->second, each);
      kept.push_back(index);
    }
  }
  weights = std::move(kept);
  forget_quantization(checkpoint);
  return done;
}

Result<void> check_castable(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const auto& [layer, parts] : quantized_layers(checkpoint))
    names.push_back(layer + ".weight");
  if (names.empty()) return {};
  return fail(cannot_dequantize(
      checkpoint, ErrorCode::unsupported,
      some_of(names) + ": stored quantized, and a cast of the scales would change what it says",
      "Write the numbers that it says with --dequantize, or convert it without --dtype"));
}

}  // namespace samebits
