// The numbers of a Hugging Face config.json that decide names and shapes.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "samebits/base/error.h"
#include "samebits/family/name_table.h"

namespace samebits::model {

/// Fields as the configuration class of `config["model_type"]` in `library` reads them, absent ones
/// at its defaults; `parts` as `model_class` would be built (a pooler unless told not to). Where
/// the config names no type of the family, the type of `model_class` is taken, and ViT's outside
/// transformers. Errors: those of checked_field(), usage (no object), unsupported (a model type
/// that is not of the family).
Result<Fields> fields_from_config(const nlohmann::ordered_json& config,
                                  const ModelClass& model_class, Library library);

}  // namespace samebits::model
