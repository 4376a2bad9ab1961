// The names of what adapters keep for each layer.
//
// Source: peft 0.21 (utils/save_and_load.py and the layers of its tuners), kohya's sd-scripts, and
// diffusers for LoRA's other names.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "samebits/compare/adapter_update.h"
#include "samebits/explain/report.h"

namespace samebits {

/// What a tensor is for an adapter.
struct AdapterPart {
  std::string layer;        // "vit.layers.0.attention.q_proj", without peft's prefix; "" where the
                            // tensor is of the whole model
  std::string_view factor;  // peft's name: "lora_A", "ia3_l"
  std::string_view family;  // "LoRA", "DoRA", "IA3"
};

/// Nothing for tensors of other kinds.
std::optional<AdapterPart> adapter_part(const std::string& name);

/// What a tensor that an adapter holds whole (modules_to_save) is called in the base model.
std::string name_in_base(const std::string& name);

/// The factors of a subject's weights.
struct AdapterParts {
  std::set<std::string> names;
  std::map<std::string, AdapterFactors> layers;
  std::set<std::string_view> families;
  std::set<std::int64_t> ranks;
  std::size_t others = 0;  // tensors that are no factors
  /// "LoRA", or "DoRA" where magnitudes stand beside LoRA's factors.
  std::string family() const;
};
AdapterParts adapter_parts(const Subject& subject);

/// What adapter_config.json says that the product of a layer's factors is multiplied by; nothing
/// where it does not say.
std::optional<double> adapter_scale(const Json& config, const std::string& layer,
                                    const AdapterFactors& factors);

}  // namespace samebits
