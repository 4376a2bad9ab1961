// Config, preprocessing and mode of two checkpoints, field by field, and which fields can move
// outputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/checkpoint/checkpoint.h"
#include "samebits/family/config_fields.h"

namespace samebits {

struct FieldDifference {
  std::string field;  // dotted: "mask_ratio", "size.height"
  Json a, b;          // null where `missing_a` or `missing_b`
  bool missing_a = false, missing_b = false;
  FieldEffect effect = FieldEffect::unknown;
  std::string why;  // one clause: "the number of visible tokens changes"
};

/// What else is known where a config does not say it.
struct ConfigContext {
  std::string dtype_a, dtype_b;  // of all floating weights beside it, which 5.24.0 loads in; or ""
};

/// Compares two config objects after normalization: an absent field counts as its documented
/// default where the table has one for `model_type` (so a config.json that leaves defaults out
/// equals a pickled config that has them all); dtype and torch_dtype are one field; numbers compare
/// as numbers. Sorted: outputs first, then by name. `model_type` may be "".
std::vector<FieldDifference> compare_configs(const Json& a, const Json& b,
                                             const std::string& model_type,
                                             const ConfigContext& context = {});

/// The same for preprocessor_config.json and image processors: mean, std, size, resample,
/// do_resize, do_center_crop, rescale_factor, channel order; two versions' spellings of the same
/// settings (size 224 and {"height": 224, "width": 224}; feature_extractor_type and
/// image_processor_type) are equal.
std::vector<FieldDifference> compare_preprocessing(const Json& a, const Json& b);

/// Whether it is a feature extractor of sound: of these no field is known but by its name.
bool prepares_audio(const Json& preprocessing);

/// What a module's training flag means for outputs.
enum class ModeEffect : std::uint8_t {
  none,        // p = 0, or a class whose forward ignores the flag
  random,      // dropout or drop path with p > 0: another result in every call
  statistics,  // batch norm: uses the batch's statistics and changes its buffers
  unknown,     // a class that the table does not know and that has own code (not a container)
};
ModeEffect mode_effect(const ModuleRecord& module);

struct ModeDifference {
  std::string
      module;  // path in A, aligned by the same prefix rule as the weights where names differ
  bool training_a = false, training_b = false;
  ModeEffect effect = ModeEffect::none;
};
/// Modules present on both sides (aligned by class path order and path) whose flag differs.
std::vector<ModeDifference> compare_modes(const std::vector<ModuleRecord>& a,
                                          const std::vector<ModuleRecord>& b);

}  // namespace samebits
