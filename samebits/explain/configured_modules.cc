#include "samebits/explain/configured_modules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/attribute_rows.h"
#include "samebits/compare/module_pairs.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/run/module_checks.h"

namespace samebits {
namespace {

constexpr double kClose = 1e-6;  // relative: what a square root in two orders may differ by

// Kinds of values: fields of a config and attributes of modules go together by them.
enum class ValueKind : std::uint8_t { eps, heads, head_width, scale, activation, dilation, other };

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

ValueKind kind_of(std::string_view name) {
  if (holds(name, "eps") && !holds(name, "steps")) return ValueKind::eps;
  const bool is_width = name == "key_dim" || name == "d_kv" || name == "kv_channels";
  if (is_width || holds(name, "head_dim") || holds(name, "head_size") || name == "d_head")
    return ValueKind::head_width;
  if (holds(name, "head")) return ValueKind::heads;
  if (holds(name, "dilat")) return ValueKind::dilation;
  if (holds(name, "scal") || name == "temperature") return ValueKind::scale;
  return holds(name, "act_") || name == "act" || name.ends_with("_act") ||
                 holds(name, "activation") || name == "feed_forward_proj" || holds(name, "nonlin")
             ? ValueKind::activation
             : ValueKind::other;
}

// What shapes of tensors fix, and what a layer's other attributes say again.
constexpr auto kOfShapes = std::to_array<std::string_view>({"in_features",
                                                            "out_features",
                                                            "in_channels",
                                                            "out_channels",
                                                            "kernel_size",
                                                            "normalized_shape",
                                                            "num_features",
                                                            "num_embeddings",
                                                            "embedding_dim",
                                                            "elementwise_affine",
                                                            "affine",
                                                            "bias",
                                                            "transposed",
                                                            "groups",
                                                            "input_size",
                                                            "hidden_size",
                                                            "num_layers",
                                                            "embed_dim",
                                                            "kdim",
                                                            "vdim",
                                                            "num_parameters",
                                                            "patch_size",
                                                            "track_running_stats",
                                                            "output_size",
                                                            "weight",
                                                            "data_format",
                                                            "inplace",
                                                            "stride",
                                                            "norm_type"});

constexpr double kTorchEps = 1e-5;

/// What classes set themselves, whatever their config says. `folder` is that of their code below
/// transformers.models.
struct ClassConstant {
  std::string_view folder;
  ValueKind kind;
  double number = 0;
};
constexpr ClassConstant kConstants[] = {
    {"distilbert", ValueKind::eps, 1e-12}, {"convnext", ValueKind::eps, 1e-6},
    {"convnextv2", ValueKind::eps, 1e-6},  {"segformer", ValueKind::eps, 1e-5},
    {"videomae", ValueKind::eps, 1e-5},    {"perceiver", ValueKind::eps, 1e-5}};

/// "vit_mae" of "transformers.models.vit_mae.modeling_vit_mae.ViTMAEModel"; "" of other classes.
std::string_view folder_of(std::string_view class_path) {
  constexpr std::string_view kModels = "transformers.models.";
  if (!class_path.starts_with(kModels)) return "";
  class_path.remove_prefix(kModels.size());
  return class_path.substr(0, class_path.find('.'));
}

/// Numbers and texts of a config at any depth, by the kinds of their fields.
class ConfigValues {
 public:
  explicit ConfigValues(const Json& config) { add(config, ""); }

  bool states(ValueKind kind) const { return !numbers(kind).empty(); }
  bool has_number(ValueKind kind, double value) const { return has(numbers(kind), value); }
  bool has_any(double value) const {
    return std::ranges::any_of(numbers_, [&](const auto& each) { return has(each.second, value); });
  }
  const std::set<double>& numbers(ValueKind kind) const {
    static const std::set<double> kNone;
    const auto found = numbers_.find(kind);
    return found == numbers_.end() ? kNone : found->second;
  }
  /// Of hidden states.
  const std::set<double>& widths() const { return widths_; }
  bool has_text(const std::string& text) const { return texts_.contains(text); }
  const std::set<std::string>& activations() const { return activations_; }
  const Json* field(const std::string& name) const {
    const auto found = fields_.find(name);
    return found == fields_.end() ? nullptr : found->second;
  }
  /// A field of that name, at any depth, is that value or lists it.
  bool is_stated(const std::string& name, const Json& value) const {
    const auto [first, last] = fields_.equal_range(name);
    return std::any_of(first, last, [&](const auto& each) {
      const Json& field = *each.second;
      return field == value || (field.is_array() && std::ranges::find(field, value) != field.end());
    });
  }

  static bool has(const std::set<double>& numbers, double value) {
    return std::ranges::any_of(numbers, [&](double number) {
      return number == value || std::abs(number - value) <= kClose * std::abs(value);
    });
  }

 private:
  void add(const Json& value, const std::string& name) {
    if (value.is_object()) {
      for (const auto& [key, each] : value.items()) {
        fields_.emplace(key, &each);
        add(each, key);
      }
    } else if (value.is_array()) {
      for (const Json& each : value) add(each, name);
    } else if (value.is_number()) {
      numbers_[kind_of(name)].insert(value.get<double>());
      if (holds(name, "hidden_size") || holds(name, "dim") || name == "d_model" || name == "n_embd")
        widths_.insert(value.get<double>());
    } else if (value.is_string()) {
      texts_.insert(value.get<std::string>());
      if (kind_of(name) == ValueKind::activation) add_activation(value.get<std::string>());
    }
  }

  /// "gated-gelu" of T5 is a function and a way to use it.
  void add_activation(const std::string& text) {
    activations_.insert(json_text(canonical_activation(text)));
    if (const std::size_t dash = text.find('-'); dash != std::string::npos)
      add_activation(text.substr(dash + 1));
    // T5 reads gated-gelu as gelu_new.
    if (text == "gated-gelu") add_activation("gelu_new");
  }

  std::map<ValueKind, std::set<double>> numbers_;
  std::set<double> widths_;
  std::set<std::string> texts_, activations_;
  std::multimap<std::string, const Json*> fields_;
};

class Configured {
 public:
  Configured(const Checkpoint& checkpoint, const Json& config)
      : checkpoint_(checkpoint), values_(config) {
    for (const StoredTensor& tensor : checkpoint.entries) note_sizes(tensor);
    for (const ModuleRecord& module : checkpoint.modules) note_followers(module);
  }

  std::vector<LooseAttribute> run() {
    for (const ModuleRecord& module : checkpoint_.modules) check(module);
    return std::move(found_);
  }

 private:
  void note_sizes(const StoredTensor& tensor) {
    for (std::size_t dot = tensor.name.rfind('.'); dot != std::string::npos && dot > 0;
         dot = tensor.name.rfind('.', dot - 1)) {
      std::set<double>& sizes = sizes_[tensor.name.substr(0, dot)];
      for (const std::int64_t size : tensor.view.shape()) sizes.insert(static_cast<double>(size));
    }
  }

  /// Modules that do what the config says: others beside them may be a class's own choice.
  void note_followers(const ModuleRecord& module) {
    if (!module.attributes.is_object()) return;
    if (is_activation(module) &&
        values_.activations().contains(json_text(canonical_activation(activation_of(module)))))
      acting_.insert(template_of(module.path));
    for (const char* name : {"eps", "variance_epsilon"}) {
      const auto eps = module.attributes.find(name);
      if (eps != module.attributes.end() && eps->is_number() &&
          values_.has_number(ValueKind::eps, eps->get<double>()))
        normed_.insert(template_of(module.path));
    }
  }

  /// torch's own eps, in a batch norm, or in a layer norm that is no block's beside others that
  /// have the config's.
  bool is_default_eps(const ModuleRecord& module, double value) const {
    if (value != kTorchEps) return false;
    return !values_.states(ValueKind::eps) || holds(module.class_path, ".batchnorm.") ||
           (!normed_.empty() && !normed_.contains(template_of(module.path)));
  }

  void add(const ModuleRecord& module, const std::string& attribute, Json found, bool contradicts,
           std::string what) {
    found_.push_back({module.path, attribute, std::move(found), contradicts, std::move(what)});
  }

  void check(const ModuleRecord& module) {
    if (const std::string_view folder = folder_of(module.class_path); !folder.empty())
      folders_[module.path] = folder;
    if (!module.attributes.is_object()) return;
    check_hooks(module);
    check_absent_function(module);
    if (is_activation(module)) return check_activation(module);
    // What a picture is enlarged by is no field's.
    if (module.class_path.starts_with("torch.nn.modules.upsampling.")) return;
    for (const auto& [name, value] : module.attributes.items()) {
      if (!moves_outputs(module, name) || is_explained(module, name, value)) continue;
      const ValueKind kind = kind_of(name);
      const bool contradicts = kind == ValueKind::eps && values_.states(kind);
      add(module, name, value, contradicts,
          fmt::format("its {} is {}, {}", name, short_json(value),
                      contradicts ? "which no field of the config says"
                                  : "which its config does not tell"));
    }
  }

  void check_hooks(const ModuleRecord& module) {
    for (const char* kind : {"_forward_hooks", "_forward_pre_hooks"}) {
      const auto hooks = module.attributes.find(kind);
      if (hooks == module.attributes.end() || hooks->empty()) continue;
      const std::size_t count = hooks->size();
      add(module, "", count, true,
          fmt::format("{} registered on it",
                      count == 1 ? "a hook is" : fmt::format("{} hooks are", count)));
    }
  }

  /// An Identity where a module has its function.
  void check_absent_function(const ModuleRecord& module) {
    const std::string_view place = last_name(module.path);
    const bool is_function = place == "act_fn" || place == "intermediate_act_fn" ||
                             (place == "activation" && holds(module.path, "pooler."));
    if (is_function && module.class_path.ends_with(".Identity"))
      add(module, "", "Identity", false, "it is an Identity, which no config names");
  }

  bool is_constant(const ModuleRecord& module, ValueKind kind, double number) const {
    std::string_view path = module.path;
    auto folder = folders_.find(path);
    while (folder == folders_.end() && !path.empty()) {
      path = parent_path(path);
      folder = folders_.find(path);
    }
    return folder != folders_.end() &&
           std::ranges::any_of(kConstants, [&](const ClassConstant& each) {
             return each.folder == folder->second && each.kind == kind && each.number == number;
           });
  }

  static bool is_activation(const ModuleRecord& module) {
    return module.class_path.starts_with("torch.nn.modules.activation.") ||
           module.class_path.starts_with("transformers.activations.");
  }

  /// The function of a block by the config's name of it; others are a class's own choice.
  void check_activation(const ModuleRecord& module) {
    const std::string function = activation_of(module);
    if (function.empty() || values_.activations().empty()) return;
    // Poolers and gates have these, and no block between its matrices.
    if (function == "tanh" || function == "sigmoid") return;
    if (values_.activations().contains(json_text(canonical_activation(function)))) return;
    // A head of its own beside blocks that follow the config.
    if (!acting_.empty() && !acting_.contains(template_of(module.path))) return;
    add(module, "", function, false,
        fmt::format("it is {}, and the config names {}", function,
                    fmt::join(values_.activations(), ", ")));
  }

  bool moves_outputs(const ModuleRecord& module, const std::string& name) const {
    const bool of_library = is_library_class(module.class_path);
    if (of_library && std::ranges::find(kOfShapes, name) != kOfShapes.end()) return false;
    const AttributeRow row = attribute_row(module.class_path, name);
    if (row.effect == AttributeEffect::outputs) return true;
    return row.effect == AttributeEffect::unknown && !name.starts_with('_') &&
           (!of_library || is_stated_otherwise(module, name));
  }

  /// An attribute under the name of a field, and a value that no field of that name has.
  bool is_stated_otherwise(const ModuleRecord& module, const std::string& name) const {
    const Json& value = module.attributes[name];
    const bool plain = value.is_number() || value.is_string();
    return plain && values_.field(name) != nullptr && !values_.is_stated(name, value);
  }

  bool is_explained(const ModuleRecord& module, const std::string& name, const Json& value) const {
    if (values_.is_stated(name, value)) return true;
    if (name == "shift_size" && value.is_number()) return is_shift(module, value);
    if (!is_library_class(module.class_path)) return value.is_null() || is_of_tree(value);
    if (value.is_array())
      return std::ranges::all_of(
          value, [&](const Json& each) { return is_explained(module, name, each); });
    if (value.is_number()) return is_number_explained(module, name, value.get<double>());
    if (value.is_string()) return is_text_explained(value.get<std::string>());
    if (value.is_boolean()) return values_.field(name) == nullptr;
    return true;
  }

  /// A config, and what stands in the tree itself.
  static bool is_of_tree(const Json& value) {
    return value.is_object() && (value.contains("$config") || value.contains("$module") ||
                                 value.contains("$registered"));
  }

  /// Of Swin: every second block shifts its windows by half, where a picture has several of them.
  static bool is_shift(const ModuleRecord& module, const Json& value) {
    const auto number = [&](const char* name) {
      const auto found = module.attributes.find(name);
      return found != module.attributes.end() && found->is_number() ? found->get<std::int64_t>()
                                                                    : std::int64_t{0};
    };
    const auto sides = module.attributes.find("input_resolution");
    const std::int64_t window = number("window_size");
    if (window == 0 || sides == module.attributes.end() || !sides->is_array()) return true;
    const bool one_window = std::ranges::any_of(*sides, [&](const Json& side) {
      return side.is_number() && side.get<std::int64_t>() <= window;
    });
    const std::string_view place = last_name(module.path);
    if (place.empty() || !std::ranges::all_of(place, [](char c) { return c >= '0' && c <= '9'; }))
      return true;
    const bool odd = (place.back() - '0') % 2 == 1;
    return value == (odd && !one_window ? window / 2 : 0);
  }

  bool is_number_explained(const ModuleRecord& module, const std::string& name,
                           double value) const {
    const ValueKind kind = kind_of(name);
    if (values_.has_number(kind, value)) return true;
    if (kind == ValueKind::eps)
      return is_default_eps(module, value) || is_constant(module, kind, value);
    if (name == "padding" && is_half_a_kernel(module, value)) return true;
    const auto sizes = sizes_.find(module.path);
    if (kind == ValueKind::other &&
        (value == 0 || value == 1 || value == -1 || values_.has_any(value)))
      return true;
    if (kind == ValueKind::dilation) return value == 1;
    if (kind == ValueKind::heads && is_count_of_widths(module, name, value)) return true;
    if (kind == ValueKind::scale && (value == 1 || is_root_of_scale(value))) return true;
    if (const auto width = kind == ValueKind::scale ? head_width(module) : std::nullopt)
      return std::abs(value * std::sqrt(*width) - 1) < kClose;
    const bool below = sizes != sizes_.end();
    if (below && kind == ValueKind::other && sizes->second.contains(value)) return true;
    return (below && follows_from_heads(sizes->second, value)) ||
           follows_from_heads(values_.widths(), value);
  }

  /// Of classes with other heads in each stage: as many as fit into a size below the module.
  bool is_count_of_widths(const ModuleRecord& module, const std::string& name, double value) const {
    const Json* field = values_.field(name);
    const auto sizes = sizes_.find(module.path);
    if (field == nullptr || !field->is_array() || sizes == sizes_.end()) return false;
    return std::ranges::any_of(values_.numbers(ValueKind::head_width),
                               [&](double width) { return sizes->second.contains(value * width); });
  }

  /// Of the heads of a module, as it states it itself.
  static std::optional<double> head_width(const ModuleRecord& module) {
    for (const char* name : {"head_dim", "attention_head_size"}) {
      const auto found = module.attributes.find(name);
      if (found != module.attributes.end() && found->is_number() && found->get<double>() > 0)
        return found->get<double>();
    }
    return std::nullopt;
  }

  /// Gemma divides by the root of a field.
  bool is_root_of_scale(double value) const {
    return std::ranges::any_of(values_.numbers(ValueKind::scale), [&](double number) {
      return number > 0 && std::abs(value * std::sqrt(number) - 1) < kClose;
    });
  }

  /// Convolutions that keep the size, or that see no later element.
  static bool is_half_a_kernel(const ModuleRecord& module, double value) {
    const auto kernel = module.attributes.find("kernel_size");
    if (kernel == module.attributes.end()) return false;
    const auto fits = [&](const Json& size) {
      return size.is_number() &&
             (value == size.get<double>() - 1 || value == std::floor(size.get<double>() / 2));
    };
    return kernel->is_array() ? std::ranges::any_of(*kernel, fits) : fits(*kernel);
  }

  /// A head's width and what is made of it, and how many heads share a key.
  bool follows_from_heads(const std::set<double>& sizes, double value) const {
    const std::set<double>& heads = values_.numbers(ValueKind::heads);
    for (const double width : values_.numbers(ValueKind::head_width))
      if (width > 0 && std::abs(value * std::sqrt(width) - 1) < kClose) return true;
    for (const double count : heads) {
      if (count <= 0) continue;
      for (const double other : heads)
        if (other > 0 && value == count / other) return true;
      const auto is_made_of = [&](double width) {
        return value == width || std::abs(value * std::sqrt(width) - 1) < kClose;
      };
      if (std::ranges::any_of(sizes, [&](double size) {
            return size >= count && std::fmod(size, count) == 0 && is_made_of(size / count);
          }))
        return true;
    }
    return false;
  }

  bool is_text_explained(const std::string& text) const {
    return text == "zeros" || text == "none" || text == "valid" || text == "same" ||
           text == "absolute" || values_.has_text(text);
  }

  const Checkpoint& checkpoint_;
  ConfigValues values_;
  std::unordered_map<std::string, std::set<double>> sizes_;  // of what stands below each module
  std::unordered_map<std::string_view, std::string_view> folders_;  // by modules of such classes
  std::set<std::string> acting_, normed_;  // templates of paths, see note_followers()
  std::vector<LooseAttribute> found_;
};

}  // namespace

std::vector<LooseAttribute> loose_attributes(const Checkpoint& checkpoint, const Json& config) {
  if (checkpoint.modules.empty() || !config.is_object()) return {};
  return Configured(checkpoint, config).run();
}

}  // namespace samebits
