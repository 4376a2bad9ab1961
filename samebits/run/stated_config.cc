// Modules of timm, torchvision, facebookresearch/mae and their like, which have no config.
//
// Source: timm 1.0.31 (models/vision_transformer.py, layers), torchvision 0.29.1
// (models/vision_transformer.py).
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "samebits/run/module_checks.h"

namespace samebits {
namespace {

/// The classes of timm and torchvision whose pass is the one that is run; their other classes place
/// norms, heads or patches otherwise under the same names.
constexpr auto kPlainClasses = std::to_array<std::string_view>({"VisionTransformer",
                                                                "VisionTransformerDistilled",
                                                                "Block",
                                                                "PatchEmbed",
                                                                "Attention",
                                                                "Mlp",
                                                                "SwiGLU",
                                                                "LayerScale",
                                                                "DropPath",
                                                                "PatchDropout",
                                                                "LayerNorm",
                                                                "GELU",
                                                                "GELUTanh",
                                                                "QuickGELU",
                                                                "ReLU",
                                                                "SiLU",
                                                                "Encoder",
                                                                "EncoderBlock",
                                                                "MLPBlock",
                                                                "MLP"});

Json foreign_activation(const ModuleRecord& module) {
  const bool acts = last_name(module.path) == "act" || module.path.ends_with("mlp.1");
  const std::string function = acts ? activation_of(module) : "";
  return function.empty() ? Json() : canonical_activation(function);
}

/// What the modules state, each field by the first of them; the others are held against it.
Json stated_fields(const Checkpoint& checkpoint) {
  Json fields = Json::object();
  const auto state = [&](const char* field, const Json& value) {
    if (!value.is_null() && !fields.contains(field)) fields[field] = value;
  };
  for (const ModuleRecord& module : checkpoint.modules) {
    if (module.class_path.ends_with("LayerNorm"))
      state("layer_norm_eps", plain_attribute(module, "eps"));
    state(
        module.path.starts_with("decoder") ? "decoder_num_attention_heads" : "num_attention_heads",
        plain_attribute(module, "num_heads"));
    state("hidden_act", foreign_activation(module));
    if (last_name(module.path) == "patch_embed")
      state("image_size", plain_attribute(module, "img_size"));
    if (module.path.empty()) state("image_size", plain_attribute(module, "image_size"));
  }
  return fields;
}

bool is_of_known_library(const std::string& class_path) {
  return class_path.starts_with("timm.") || class_path.starts_with("torchvision.");
}

void check_foreign_scale(const ModuleRecord& module, Deviations* found) {
  const Json scale = plain_attribute(module, "scale");
  const Json width = plain_attribute(module, "head_dim");
  if (!scale.is_number() || !width.is_number() || width.get<double>() <= 0) return;
  const double expected = 1 / std::sqrt(width.get<double>());
  if (std::fabs(scale.get<double>() - expected) <= 1e-12 * expected) return;
  found->push_back({module.path, "scale", expected, scale,
                    fmt::format("its scale is {}, not {}", attribute_value_text(scale), expected)});
}

/// Where a module of these libraries computes something that no field says.
void check_foreign(const ModuleRecord& module, Deviations* found) {
  check_own_code(module, module.path, found);
  check_patches(module, module.path, found);
  check_foreign_scale(module, found);
  const std::string_view type = last_name(module.class_path);
  if (is_of_known_library(module.class_path) &&
      std::ranges::find(kPlainClasses, type) == kPlainClasses.end())
    found->push_back({module.path, "", Json(), module.class_path,
                      "it is a " + module.class_path + ", which is not covered"});
}

/// The outermost module's pooling, where a head behind it takes something else than the class
/// token.
std::optional<ModuleDeviation> other_pooling(const Checkpoint& checkpoint) {
  for (const ModuleRecord& module : checkpoint.modules) {
    if (!module.path.empty() || !module.attributes.is_object()) continue;
    const auto pool = module.attributes.find("global_pool");
    const Json found = pool != module.attributes.end() ? *pool
                       : module.hyper.is_object() && module.hyper.contains("global_pool")
                           ? module.hyper["global_pool"]
                           : Json();
    const bool has_head = std::ranges::any_of(checkpoint.modules, [](const ModuleRecord& each) {
      return each.path == "head" && each.class_path.ends_with("Linear");
    });
    if (found.is_null() || found == "token" || found == false || !has_head) continue;
    return ModuleDeviation{"", "global_pool", "token", found,
                           fmt::format("its global_pool is {}, and only the class token is covered",
                                       attribute_value_text(found))};
  }
  return std::nullopt;
}

bool is_of_other_library(const Checkpoint& checkpoint) {
  return !checkpoint.config.is_object() && !checkpoint.modules.empty() &&
         checkpoint.kind != CheckpointKind::torchscript && family_class(checkpoint).empty();
}

}  // namespace

std::string foreign_class(const Checkpoint& checkpoint) {
  if (!is_of_other_library(checkpoint)) return "";
  const std::string& path = checkpoint.modules[0].class_path;
  return is_of_known_library(path) ? "" : std::string(last_name(path));
}

std::string foreign_class_text(const std::string& name) {
  return name + " is run as the ViT whose names its weights have; its own code is not known";
}

bool states_config(const Checkpoint& checkpoint) {
  return is_of_other_library(checkpoint) && !stated_fields(checkpoint).empty();
}

ModuleConfig run_config(const Checkpoint& checkpoint, const Json& config) {
  if (!is_of_other_library(checkpoint)) return module_config(checkpoint, config);
  Json said = stated_fields(checkpoint);
  if (said.empty()) return module_config(checkpoint, config);
  if (config.is_object()) said.update(config);
  ModuleConfig found = module_config(checkpoint, said);
  for (const ModuleRecord& module : checkpoint.modules) check_foreign(module, &found.deviations);
  if (auto pooling = other_pooling(checkpoint)) found.deviations.push_back(*std::move(pooling));
  return found;
}

}  // namespace samebits
