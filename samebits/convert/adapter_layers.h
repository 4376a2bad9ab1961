// The factors of a LoRA by layer, and the tensors that it holds whole.
//
// Source: peft 0.21.2, utils/save_and_load.py (get_peft_model_state_dict) and the layers of
// tuners/lora: names of an adapter's file, and of a whole PeftModel's state_dict.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/convert/adapter_rules.h"
#include "samebits/convert/merge_layer.h"

namespace samebits {

struct AdapterLayer {
  LowRankUpdate update;
  bool embedding = false;  // [in, out], whatever the config says of other layers
};

/// Borrows from the checkpoint.
struct AdapterLayers {
  std::map<std::string, AdapterLayer> layers;  // by the name of the module: "vit.layers.0.fc1"
  std::map<std::string, TensorView> whole;     // modules_to_save, by the names in the model
  std::set<std::string> factor_names;          // as they stand in the file
};

/// Whether a tensor is a factor of a LoRA.
bool holds_lora(const Checkpoint& checkpoint);

/// `beside_base`: the checkpoint is a whole PeftModel's, else an adapter's alone, whose other
/// tensors replace the base's. Errors: unsupported, by name, for factors of other kinds and several
/// adapters in one file; inconsistent where a factor is missing, does not fit, or has no values;
/// those of AdapterRules::scale.
Result<AdapterLayers> read_adapter_layers(const Checkpoint& checkpoint, const AdapterRules& rules,
                                          bool beside_base);

/// A PeftModel's state_dict as one of the base model: base_layer, original_module and the prefix
/// leave the names, and factors and modules_to_save the weights.
void make_base_of(Checkpoint& checkpoint, const AdapterLayers& layers);

}  // namespace samebits
