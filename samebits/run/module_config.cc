#include "samebits/run/module_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "samebits/family/activations.h"
#include "samebits/family/classes.h"
#include "samebits/run/module_checks.h"

namespace samebits {
namespace {

constexpr auto kParts =
    std::to_array<std::string_view>({"torch.nn.modules.", "transformers.activations."});

template <std::size_t N>
bool starts_with_any(std::string_view text, const std::array<std::string_view, N>& prefixes) {
  return std::ranges::any_of(prefixes,
                             [&](std::string_view prefix) { return text.starts_with(prefix); });
}

/// Of a class that transformers defines for a type of the family.
bool is_of_family(const ModuleRecord& module) {
  return model::type_of_class(module.class_path) != nullptr;
}

/// One reading of a checkpoint's modules.
class Modules {
 public:
  Modules(const Checkpoint& checkpoint, const Json& config) : result_{config, {}, {}, {}} {
    is_script_ = checkpoint.kind == CheckpointKind::torchscript;
    for (const ModuleRecord& module : checkpoint.modules) {
      if (!is_of_family(module)) continue;
      if (root_ && module.path.size() >= root_->size()) continue;
      root_ = module.path;
      find_part(*model::type_of_class(module.class_path));
    }
    // A config that is another file's tells of this model no more than its modules do.
    foreign_ = !root_ && !checkpoint.config.is_object();
    if (foreign_) root_ = "";
    if (!root_) return;
    const bool owns_more = !foreign_ && !is_script_ && check_owner(checkpoint);
    if (!is_script_ && !owns_more) note_wrapper(checkpoint);
    for (const ModuleRecord& module : checkpoint.modules) {
      if (is_below(module.path)) inside_.push_back(&module);
    }
  }

  ModuleConfig read() {
    if (!root_) return std::move(result_);
    if (is_script_) return read_script();
    if (foreign_) return read_foreign();
    for (const ModuleRecord* module : inside_) check_class(*module);
    check_field("layer_norm_eps", Json(), [](const ModuleRecord& module) {
      return module.class_path.ends_with("LayerNorm") ? plain_attribute(module, "eps") : Json();
    });
    for (const bool decoder : {false, true}) check_heads(decoder);
    check_field("hidden_act", "gelu", [](const ModuleRecord& module) {
      return is_in_pooler(module) ? Json() : function_of(module);
    });
    check_field("pooler_act", "tanh", [](const ModuleRecord& module) {
      return is_in_pooler(module) ? function_of(module) : Json();
    });
    check_field("mask_ratio", Json(), [](const ModuleRecord& module) {
      return module.class_path.ends_with("ViTMAEEmbeddings") ? own_field(module, "mask_ratio")
                                                             : Json();
    });
    for (const ModuleRecord* module : inside_)
      check_patches(*module, local(module->path), &result_.deviations);
    return std::move(result_);
  }

 private:
  /// Of a TorchScript archive only what its classes state: traces hold all else in their code.
  ModuleConfig read_script() {
    check_field("layer_norm_eps", Json(), [](const ModuleRecord& module) {
      return module.class_path.ends_with("LayerNorm") ? plain_attribute(module, "eps") : Json();
    });
    return std::move(result_);
  }

  /// Modules of timm, torchvision, facebookresearch/mae and their like.
  ModuleConfig read_foreign() {
    check_field("layer_norm_eps", Json(), [](const ModuleRecord& module) {
      return module.class_path.ends_with("LayerNorm") ? plain_attribute(module, "eps") : Json();
    });
    for (const bool decoder : {false, true}) {
      const char* field = decoder ? "decoder_num_attention_heads" : "num_attention_heads";
      check_field(field, Json(), [&](const ModuleRecord& module) {
        return module.path.starts_with("decoder") == decoder ? plain_attribute(module, "num_heads")
                                                             : Json();
      });
    }
    check_field("hidden_act", Json(), [](const ModuleRecord& module) {
      const bool acts = last_name(module.path) == "act" || module.path.ends_with("mlp.1");
      const std::string function = acts ? activation_of(module) : "";
      return function.empty() ? Json() : canonical_activation(function);
    });
    return std::move(result_);
  }

  /// A model around one of the family has a config around its config: an encoder, a backbone.
  void find_part(const model::ModelType& type) {
    part_ = "";
    const auto is_of = [](const Json& config, std::string_view name) {
      const auto found = config.find("model_type");
      return found != config.end() && found->is_string() &&
             found->get_ref<const std::string&>() == name;
    };
    const auto own = result_.config.find("model_type");
    if (own == result_.config.end() || !own->is_string() ||
        model::find_model_type(own->get_ref<const std::string&>()) != nullptr)
      return;
    part_.reset();
    for (const auto& [name, value] : result_.config.items()) {
      if (value.is_object() && is_of(value, type.name)) part_ = name;
    }
  }

  /// The config of the known model; an empty one where the config around it names none.
  const Json& own_config() const {
    static const Json kNone = Json::object();
    if (!part_) return kNone;
    return part_->empty() ? result_.config : result_.config[*part_];
  }

  /// What a config object of the module's own says otherwise; null where it does not.
  static Json own_field(const ModuleRecord& module, const char* field) {
    const Json config = plain_attribute(module, "config");
    return config.is_object() && config.contains(field) ? config[field] : Json();
  }

  bool is_below(std::string_view path) const {
    return root_->empty() || path == *root_ ||
           (path.starts_with(*root_) && path[root_->size()] == '.');
  }

  std::string local(const std::string& path) const {
    return root_->empty() || path.size() <= root_->size() ? path : path.substr(root_->size() + 1);
  }

  void deviate(const ModuleRecord& module, const std::string& attribute, Json expected, Json found,
               std::string what) {
    result_.deviations.push_back(
        {local(module.path), attribute, std::move(expected), std::move(found), std::move(what)});
  }

  /// Weights beside the known root belong to a class that uses them in its own way. False where
  /// there are none.
  bool check_owner(const Checkpoint& checkpoint) {
    if (root_->empty() || !checkpoint.has_weights()) return false;
    const bool beside = std::ranges::any_of(checkpoint.weights().weights, [&](std::uint32_t index) {
      return !checkpoint.entries[index].name.starts_with(*root_ + ".");
    });
    if (!beside) return false;
    for (const ModuleRecord& module : checkpoint.modules) {
      if (!module.path.empty()) continue;
      result_.deviations.push_back({module.path, "", Json(), module.class_path,
                                    "the model's class is " + module.class_path +
                                        ", and what its forward pass does is not known"});
    }
    return true;
  }

  /// A class of one's own around the model, which may do something with its input or its output.
  void note_wrapper(const Checkpoint& checkpoint) {
    constexpr auto kTransparent = std::to_array<std::string_view>(
        {"torch.nn.parallel.", "torch._dynamo.eval_frame.OptimizedModule"});
    for (const ModuleRecord& module : checkpoint.modules) {
      if (module.path.empty() && !root_->empty() &&
          !starts_with_any(module.class_path, kTransparent))
        result_.wrapper = module.class_path;
    }
  }

  void check_class(const ModuleRecord& module) {
    check_own_code(module, local(module.path), &result_.deviations);
    if (const char* usual = other_class(module))
      return deviate(module, "", usual, module.class_path,
                     fmt::format("it is a {}, not a {}", module.class_path, usual));
    if (is_of_family(module) || starts_with_any(module.class_path, kParts)) return;
    // An activation is judged by what it computes.
    if (!activation_of(module).empty()) return;
    deviate(module, "", Json(), module.class_path,
            "it is a " + module.class_path + ", and what that computes is not known");
  }

  static bool is_in_pooler(const ModuleRecord& module) {
    return module.path.find("pooler.") != std::string::npos;
  }

  /// What an activation computes; null for other modules.
  static Json function_of(const ModuleRecord& module) {
    const std::string_view name = last_name(module.path);
    if (name != "activation_fn" && name != "intermediate_act_fn" && name != "activation") return {};
    const std::string function = activation_of(module);
    if (!function.empty()) return canonical_activation(function);
    const Json inner = plain_attribute(module, "act");
    return inner.is_null() ? Json(module.class_path) : inner;
  }

  /// A field that every module has from the config, or, where the config has none, from `fallback`.
  /// `of` gives null for modules that have none.
  template <class Of>
  void check_field(const std::string& field, const Json& fallback, Of of) {
    const Json said = own_config().contains(field) ? own_config()[field] : fallback;
    if (said.is_null() || !part_) return;
    const Json expected = canonical_activation(said);
    std::vector<std::pair<const ModuleRecord*, Json>> others;
    std::size_t count = 0;
    for (const ModuleRecord* module : inside_) {
      Json value = of(*module);
      if (value.is_null()) continue;
      ++count;
      if (value != expected) others.emplace_back(module, std::move(value));
    }
    if (others.empty()) return;
    const bool uniform = others.size() == count && std::ranges::all_of(others, [&](const auto& o) {
                           return o.second == others[0].second;
                         });
    if (uniform) {
      result_.corrections.push_back(
          {part_->empty() ? field : *part_ + "." + field, said, others[0].second});
      (part_->empty() ? result_.config : result_.config[*part_])[field] = others[0].second;
      return;
    }
    for (auto& [module, value] : others)
      deviate(*module, field, expected, value,
              fmt::format("its {} is {}, that of the config {}", field, attribute_value_text(value),
                          attribute_value_text(expected)));
  }

  void check_heads(bool decoder) {
    const std::string prefix = decoder ? "decoder_" : "";
    check_field(prefix + "num_attention_heads", Json(), [&](const ModuleRecord& module) {
      return is_decoder(module) == decoder ? plain_attribute(module, "num_attention_heads")
                                           : Json();
    });
    const Json& config = own_config();
    const std::string width = prefix + "hidden_size";
    if (!config.contains(width) || !config[width].is_number()) return;
    for (const ModuleRecord* module : inside_) {
      const Json heads = plain_attribute(*module, "num_attention_heads");
      if (is_decoder(*module) == decoder && heads.is_number() && heads.get<double>() > 0)
        check_head_width(*module, config[width].get<double>() / heads.get<double>());
    }
  }

  void check_head_width(const ModuleRecord& module, double width) {
    for (const char* name : {"head_dim", "attention_head_size"}) {
      const Json found = plain_attribute(module, name);
      if (found.is_number() && found.get<double>() != width)
        deviate(module, name, width, found,
                fmt::format("its {} is {}, not {}", name, attribute_value_text(found), width));
    }
    const Json scale = plain_attribute(module, "scaling");
    const double expected = 1 / std::sqrt(width);
    if (scale.is_number() && std::fabs(scale.get<double>() - expected) > 1e-12 * expected)
      deviate(module, "scaling", expected, scale,
              fmt::format("its scaling is {}, not {}", attribute_value_text(scale), expected));
    if (plain_attribute(module, "is_causal") == true)
      deviate(module, "is_causal", false, true, "it is causal");
  }

  static bool is_decoder(const ModuleRecord& module) {
    return module.path.starts_with("decoder.") ||
           module.path.find(".decoder.") != std::string::npos;
  }

  /// The class that a module of this name has in the family; nullptr where it is that one.
  static const char* other_class(const ModuleRecord& module) {
    const std::string_view name = last_name(module.path);
    const char* usual = usual_class(name);
    if (usual == nullptr || module.class_path.ends_with(usual)) return nullptr;
    const bool harmless = name == "dropout" && module.class_path.ends_with("Identity");
    return harmless ? nullptr : usual;
  }

  ModuleConfig result_;
  std::optional<std::string> root_;
  std::optional<std::string> part_ = "";  // of the config that is the root's; nothing: it has none
  bool is_script_ = false;
  bool foreign_ = false;  // of no class that is known, and without a config of its own
  std::vector<const ModuleRecord*> inside_;
};

}  // namespace

std::string family_class(const Checkpoint& checkpoint) {
  const ModuleRecord* root = nullptr;
  for (const ModuleRecord& module : checkpoint.modules) {
    const bool outer = root == nullptr || module.path.size() < root->path.size();
    if (outer && is_of_family(module)) root = &module;
  }
  return root == nullptr ? "" : std::string(last_name(root->class_path));
}

ModuleConfig module_config(const Checkpoint& checkpoint, const Json& config) {
  // The attributes of TorchScript's modules are no numbers of a config: those are in its code.
  if (!config.is_object() || checkpoint.modules.empty() ||
      checkpoint.kind == CheckpointKind::torchscript)
    return {config, {}, {}, {}};
  return Modules(checkpoint, config).read();
}

}  // namespace samebits
