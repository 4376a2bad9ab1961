// What is read from one module of a pickle, and what no config describes of it: the parts of
// module_config.cc and stated_config.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "samebits/run/module_config.h"

namespace samebits {

/// "LayerNorm" of "torch.nn.modules.normalization.LayerNorm".
std::string_view last_name(std::string_view path);
/// A plain attribute; null where the module has none of the name.
Json plain_attribute(const ModuleRecord& module, const char* name);
/// A text as it stands, other values as JSON.
std::string attribute_value_text(const Json& value);

/// transformers' name of the function that a module is; "" for one that has none there.
std::string activation_of(const ModuleRecord& module);
/// Of names of one function one.
Json canonical_activation(const Json& value);

using Deviations = std::vector<ModuleDeviation>;
/// Hooks, and functions in the place of the class's own.
void check_own_code(const ModuleRecord& module, const std::string& place, Deviations* found);
/// The patches of an image stand side by side.
void check_patches(const ModuleRecord& module, const std::string& place, Deviations* found);

}  // namespace samebits
