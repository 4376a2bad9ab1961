// What adapter_config.json says of how a LoRA is merged.
//
// Source: peft 0.21.2 (tuners/lora/config.py, tuners/lora/layer.py, utils/other.py:
// get_pattern_key).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samebits/base/error.h"
#include "samebits/base/json.h"

namespace samebits {

struct AdapterRules {
  Json config;
  bool transposed = false;  // fan_in_fan_out: weights of square layers are [in, out]
  bool dora = false;

  /// lora_alpha / r, or / sqrt(r), in double, with the layer's own alpha of alpha_pattern. Errors:
  /// inconsistent where the rank of the factors is not the one that the config gives the layer.
  Result<double> scale(const std::string& layer, std::int64_t rank) const;
};

/// `folder` holds adapter_config.json, or is that file. Errors: io, malformed; unsupported, by the
/// name of the field, for what changes a merge and is not done here, or is not known: other kinds
/// of adapters, lora_bias, initial values that change the base, patterns that are regular
/// expressions.
Result<AdapterRules> read_adapter_rules(const std::string& folder);

}  // namespace samebits
