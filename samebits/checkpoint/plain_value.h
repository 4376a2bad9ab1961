// Values of a pickle as JSON: config fields, hyper-parameters, step counts.
#pragma once

#include <optional>
#include <string>

#include "samebits/base/json.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// None, bool, numbers, text, lists, tuples, dicts; sets as lists in the order of their texts;
/// torch.float32 as "float32", torch.device as "cuda:0", pathlib paths as text, numpy and torch
/// scalars' calls as their class name; an object of any other class as {"class": "module.Class",
/// ...its attributes}. Tensors become "tensor". Deeper than 12 levels, beyond 20,000 values or a
/// mebibyte of text the rest becomes "...": a config is small.
Json plain_value(const pickle::Tree& tree, NodeId node);

/// A function that is no global, by what would make it, as text:
/// "functools.partial(torch._C._nn.gelu, approximate=\"tanh\")", "getattr(my.Class, \"f\")".
/// Nothing for other nodes.
std::optional<std::string> function_text(const pickle::Tree& tree, NodeId node);

/// Whether the node is an object whose class name ends in "Config".
bool is_config_object(const pickle::Tree& tree, NodeId node);

/// The attributes of such an object as JSON, without private ones other than _name_or_path and the
/// attention implementation; nothing where the node is none.
std::optional<Json> config_object(const pickle::Tree& tree, NodeId node);

/// "vit_mae" of "transformers.models.vit_mae.configuration_vit_mae.ViTMAEConfig"; "" for classes
/// elsewhere.
std::string model_type_of_class(const std::string& class_path);

}  // namespace samebits
