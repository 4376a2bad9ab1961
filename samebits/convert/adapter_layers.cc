#include "samebits/convert/adapter_layers.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/adapter_names.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr std::string_view kSaved = ".modules_to_save.";
constexpr std::string_view kOriginal = ".original_module";
constexpr std::string_view kBase = ".base_layer";

Error layer_error(const Checkpoint& checkpoint, ErrorCode code, std::string what,
                  std::string hint = "Merge it with peft: model.merge_and_unload()") {
  return {.code = code, .what = std::move(what), .file = checkpoint.path, .hint = std::move(hint)};
}

/// What follows the factor in its name: "default" of "fc1.lora_A.default.weight"; "" in an
/// adapter's own file.
std::string adapter_name(const std::string& name, std::string_view factor) {
  std::string rest = name.substr(name.find(factor) + factor.size());
  if (rest.ends_with(".weight")) rest.resize(rest.size() - std::string_view(".weight").size());
  return rest.empty() ? rest : rest.substr(1);
}

std::string without(std::string name, std::string_view part) {
  const std::size_t at = name.find(part);
  return at == std::string::npos ? name : name.erase(at, part.size());
}

class LayersReader {
 public:
  LayersReader(const Checkpoint& checkpoint, const AdapterRules& rules, bool beside_base)
      : checkpoint_(checkpoint), rules_(rules), beside_base_(beside_base) {}

  Result<AdapterLayers> read() {
    for (const std::uint32_t index : checkpoint_.weights().weights) {
      const StoredTensor& tensor = checkpoint_.entries[index];
      const auto part = adapter_part(tensor.name);
      if (part) {
        SAMEBITS_TRY_VOID(add_factor(tensor, *part));
      } else {
        add_whole(tensor);
      }
    }
    if (adapters_.size() > 1)
      return fail(layer_error(
          checkpoint_, ErrorCode::unsupported,
          "it holds several adapters: " + some_of({adapters_.begin(), adapters_.end()})));
    for (auto& [name, layer] : found_.layers) SAMEBITS_TRY_VOID(finish(name, layer));
    return std::move(found_);
  }

 private:
  Result<void> add_factor(const StoredTensor& tensor, const AdapterPart& part) {
    const bool embedding = tensor.name.find(".lora_embedding_") != std::string::npos;
    const std::string factor =
        embedding ? std::string("lora_embedding") + std::string(part.factor.substr(4))
                  : std::string(part.factor);
    const bool known = part.factor == "lora_A" || part.factor == "lora_B" ||
                       part.factor == "lora_magnitude_vector";
    if (!known || tensor.name.find("." + factor) == std::string::npos ||
        tensor.name.ends_with(".bias"))
      return fail(layer_error(checkpoint_, ErrorCode::unsupported,
                              tensor.name + ": such factors are not merged here"));
    if (!tensor.readable)
      return fail(layer_error(checkpoint_, ErrorCode::inconsistent,
                              "the values of " + tensor.name + " are not in it",
                              "Give the complete adapter"));
    adapters_.insert(adapter_name(tensor.name, "." + factor));
    found_.factor_names.insert(tensor.name);
    AdapterLayer& layer = found_.layers[part.layer];
    layer.embedding |= embedding;
    if (part.factor == "lora_A") layer.update.down = tensor.view;
    if (part.factor == "lora_B") layer.update.up = tensor.view;
    if (part.factor == "lora_magnitude_vector") layer.update.magnitudes = tensor.view;
    return {};
  }

  /// In an adapter's file all that is no factor; in a PeftModel's what stands for an original.
  void add_whole(const StoredTensor& tensor) {
    const bool marked = tensor.name.find(kSaved) != std::string::npos;
    if (marked) found_.factor_names.insert(tensor.name);
    if (marked || !beside_base_)
      found_.whole[without(name_in_base(tensor.name), kBase)] = tensor.view;
  }

  Result<void> finish(const std::string& name, AdapterLayer& layer) {
    LowRankUpdate& update = layer.update;
    if (update.magnitudes.has_value() != rules_.dora)
      return fail(layer_error(checkpoint_, ErrorCode::inconsistent,
                              fmt::format("{} has {} magnitudes, and use_dora of its config is {}",
                                          name, update.magnitudes ? "" : "no", rules_.dora),
                              "Give the adapter_config.json that it was saved with"));
    update.transposed = layer.embedding;
    const auto shape = shape_of_update(update);
    if (!shape)
      return fail(layer_error(checkpoint_, ErrorCode::inconsistent,
                              "the factors of " + name + " do not fit together, or one is missing",
                              "Give the complete adapter"));
    if (update.magnitudes && layer.embedding)
      return fail(layer_error(checkpoint_, ErrorCode::unsupported,
                              name + ": DoRA of an embedding is not merged here"));
    SAMEBITS_TRY(update.scale, rules_.scale(name, update.down.shape()[0]));
    return {};
  }

  const Checkpoint& checkpoint_;
  const AdapterRules& rules_;
  AdapterLayers found_;
  std::set<std::string> adapters_;
  bool beside_base_;
};

}  // namespace

bool holds_lora(const Checkpoint& checkpoint) {
  return checkpoint.has_weights() &&
         std::ranges::any_of(checkpoint.weights().weights, [&](std::uint32_t index) {
           const auto part = adapter_part(checkpoint.entries[index].name);
           return part && part->family == "LoRA";
         });
}

Result<AdapterLayers> read_adapter_layers(const Checkpoint& checkpoint, const AdapterRules& rules,
                                          bool beside_base) {
  return LayersReader(checkpoint, rules, beside_base).read();
}

void make_base_of(Checkpoint& checkpoint, const AdapterLayers& layers) {
  std::vector<std::uint32_t>& weights = checkpoint.candidates[checkpoint.chosen].weights;
  std::erase_if(weights, [&](std::uint32_t index) {
    return layers.factor_names.contains(checkpoint.entries[index].name);
  });
  for (const std::uint32_t index : weights) {
    StoredTensor& tensor = checkpoint.entries[index];
    tensor.name = without(without(name_in_base(tensor.name), kBase), kOriginal);
  }
}

}  // namespace samebits
