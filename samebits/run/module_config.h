// What the modules of a whole-module pickle compute, as far as it is no matter of weights: the
// config is written down beside them, and what runs are the modules.
//
// Source: the modules' attributes in transformers 4.57.6 and 5.24.0 (models/vit, vit_mae, deit,
// dinov2, dinov2_with_registers; activations.py), timm 1.0.31 and torchvision 0.29.1.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// A config field that all modules contradict, in the same way.
struct ConfigCorrection {
  std::string field;  // "hidden_act"
  Json config, modules;
};

/// A module that no config of its class describes.
struct ModuleDeviation {
  std::string module;     // "vit.layers.0.layernorm_before"
  std::string attribute;  // "eps"; "" for a hook or another class
  Json expected, found;
  std::string what;  // "its eps is 0.1, that of the config 1e-12"
  bool operator==(const ModuleDeviation& other) const {
    return module == other.module && attribute == other.attribute && found == other.found &&
           what == other.what;
  }
};

struct ModuleConfig {
  Json config;  // with the corrections
  std::vector<ConfigCorrection> corrections;
  std::vector<ModuleDeviation> deviations;  // in the modules' order; paths below the model's root
  std::string wrapper;  // the class around the model, where it is not one of torch's own; else ""
};

/// "ViTMAEModel": the outermost module of a class of the ViT family in transformers; "" where there
/// is none.
std::string family_class(const Checkpoint& checkpoint);

/// `config` itself where the checkpoint holds no modules, or a config of its own beside modules of
/// other classes than the ViT family's in transformers, or where the config is no object. Other
/// libraries' modules have no config: of a borrowed one, eps, heads and activation are corrected.
ModuleConfig module_config(const Checkpoint& checkpoint, const Json& config);

/// What a pass is run by: `config` as module_config() gives it, and for modules of other libraries
/// without a config the fields that they state themselves (eps, heads, activation, image size).
/// What no field says of these is a deviation: another pooling, scale or patches, classes of timm
/// or torchvision with another pass.
ModuleConfig run_config(const Checkpoint& checkpoint, const Json& config);

/// The outermost class of such modules where it is none of timm's or torchvision's, so that its
/// code is not known; "" otherwise.
std::string foreign_class(const Checkpoint& checkpoint);
/// "TimmViT is run as the ViT whose names its weights have; its own code is not known"
std::string foreign_class_text(const std::string& name);
/// Whether the modules state what a pass is run by, and no config does.
bool states_config(const Checkpoint& checkpoint);

}  // namespace samebits
