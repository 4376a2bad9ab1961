// A Hugging Face directory: config.json, safetensors in one file or in shards, and what stands
// beside them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "samebits/convert/convert.h"
#include "samebits/convert/planned_bytes.h"

namespace samebits {

/// Names that transformers 4.57.6 and 5.24.0 both load in full; `class_name` "" lets config and
/// tensors decide. Of a directory of a model outside the ViT family the names stay. Errors: usage
/// without a config; those of plan_for_class; unsupported where one of the two would not load it.
Result<TensorPlan> plan_for_directory(const Checkpoint& input, const Json& config,
                                      const std::string& class_name);

/// The names of the files. `left_out` gets what stands in the input's directory and is not copied.
Result<std::vector<std::string>> write_directory(const ConvertRequest& request,
                                                 const Checkpoint& input, const Json& config,
                                                 const TensorPlan& plan, const PlannedBytes& bytes,
                                                 std::vector<std::string>* left_out);

/// The metadata of the input's safetensors, with "format": "pt".
std::map<std::string, std::string> kept_metadata(const Checkpoint& input);

}  // namespace samebits
