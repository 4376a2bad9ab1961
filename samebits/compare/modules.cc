#include "samebits/compare/modules.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/compare/attribute_values.h"
#include "samebits/compare/config.h"
#include "samebits/compare/layer_attributes.h"

namespace samebits {
namespace {

constexpr std::size_t kAlone = ModulePairs::kNone;

// What a class from before an attribute does.
constexpr std::pair<std::string_view, std::string_view> kFormerly[] = {
    {"approximate", "\"none\""},   {"batch_first", "false"},        {"norm_first", "false"},
    {"padding_mode", "\"zeros\""}, {"track_running_stats", "true"}, {"proj_size", "0"},
    {"inplace", "false"},          {"process_group", "null"}};

/// A library's class around or between the parts of a model, built otherwise in other versions.
bool is_model_library(std::string_view class_path) {
  return class_path.starts_with("transformers.");
}

/// Functions that every version builds of the same classes, but for new names (is_same_function).
bool is_activation(std::string_view class_path) {
  return class_path.starts_with("transformers.activations.") ||
         class_path.starts_with("torch.nn.modules.activation.");
}

/// Classes by one name in two libraries of models: their attributes are not each other's. Both
/// subclass torch's own layers, which are then the same.
bool of_two_libraries(const ModuleRecord& a, const ModuleRecord& b) {
  const auto library = [](const ModuleRecord& module) {
    const std::string_view name =
        std::string_view(module.class_path).substr(0, module.class_path.find('.'));
    return name == "pytorch_lightning" ? std::string_view("lightning") : name;
  };
  return is_library_class(a.class_path) && is_library_class(b.class_path) &&
         library(a) != "torch" && library(b) != "torch" && library(a) != library(b);
}

class TreeComparison {
 public:
  TreeComparison(const Checkpoint& a, const Checkpoint& b, const NamePairs& tensors,
                 bool one_library)
      : a_(a),
        b_(b),
        pairs_(pair_modules(a.modules, b.modules, tensors)),
        one_library_(one_library),
        sides_{a, b, [this](const std::string& x, const std::string& y) { return same(x, y); }} {
    for (const auto& [name_a, name_b] : tensors) tensors_.emplace(name_a, name_b);
    for (std::size_t i = 0; i < a.modules.size(); ++i) {
      const std::size_t j = pairs_.of_a[i];
      if (j != kAlone) tensors_.emplace(a.modules[i].path, b.modules[j].path);
    }
  }

  std::vector<ModuleDifference> compare() {
    note_version_regions();
    note_own_code();
    for (std::size_t i = 0; i < a_.modules.size(); ++i) {
      const std::size_t j = pairs_.of_a[i];
      if (j == kAlone) {
        check_alone(a_.modules[i], true);
      } else {
        compare_pair(a_.modules[i], b_.modules[j]);
      }
    }
    for (std::size_t j = 0; j < b_.modules.size(); ++j) {
      if (pairs_.of_b[j] == kAlone) check_alone(b_.modules[j], false);
    }
    check_order();
    return std::move(found_);
  }

 private:
  bool same(const std::string& place_a, const std::string& place_b) const {
    const auto known = tensors_.find(place_a);
    return (known == tensors_.end() ? place_a : known->second) == place_b;
  }

  static bool trains(const ModuleRecord& a, const ModuleRecord& b) {
    return a.training || b.training;
  }

  void add(const ModuleRecord& module, std::string attribute, Json a, Json b,
           AttributeEffect effect, bool is_code, std::string why) {
    found_.push_back({module.path, module.class_path, std::move(attribute), std::move(a),
                      std::move(b), effect, is_code, true, std::move(why)});
  }

  // ---- one pair

  void compare_pair(const ModuleRecord& a, const ModuleRecord& b) {
    if (!is_same_function(a.class_path, b.class_path) || of_two_libraries(a, b))
      return compare_classes(a, b);
    std::unordered_map<std::string_view, const Json*> right;
    for (const auto& [name, value] : b.attributes.items()) right.emplace(name, &value);
    for (const auto& [name, value] : a.attributes.items()) {
      const auto other = right.find(name);
      compare_attribute(a, b, name, &value, other == right.end() ? nullptr : other->second);
      if (other != right.end()) right.erase(other);
    }
    for (const auto& [name, value] : b.attributes.items()) {
      if (right.contains(name)) compare_attribute(a, b, name, nullptr, &value);
    }
    compare_transient(a, b, true);
    compare_transient(b, a, false);
  }

  /// Buffers that state_dict() leaves out, and that one of two modules has alone. Those of both are
  /// compared by their values, and persistent ones with the weights.
  void compare_transient(const ModuleRecord& owner, const ModuleRecord& other, bool in_a) {
    if (is_model_library(owner.class_path) && !one_library_) return;
    for (const std::string& name : owner.transient_buffers) {
      const auto has = [&](const std::vector<std::string>& names) {
        return std::ranges::find(names, name) != names.end();
      };
      if (has(other.transient_buffers) || has(other.buffers) || has(other.parameters)) continue;
      const Json buffer = "a buffer that is not saved with the weights";
      add(in_a ? owner : other, name, in_a ? buffer : Json(), in_a ? Json() : buffer,
          AttributeEffect::unknown, false, "");
    }
  }

  void compare_classes(const ModuleRecord& a, const ModuleRecord& b) {
    const bool activations = is_activation(a.class_path) && is_activation(b.class_path);
    if (!one_library_ && !activations) {
      if (is_model_library(a.class_path) && is_model_library(b.class_path)) return;
      if (in_version_region(a.path)) return;
    }
    const bool still = changes_nothing_in_evaluation(a.class_path) &&
                       changes_nothing_in_evaluation(b.class_path) && !trains(a, b);
    if (still) return;
    const bool known = is_library_class(a.class_path) && is_library_class(b.class_path);
    add(a, "", a.class_path, b.class_path,
        known ? AttributeEffect::outputs : AttributeEffect::unknown, true, "another class");
  }

  void compare_attribute(const ModuleRecord& a, const ModuleRecord& b, const std::string& name,
                         const Json* left, const Json* right) {
    AttributeRow row = attribute_row(a.class_path, name);
    if (is_left_by_torch(row)) return;
    if (name == "inplace" && may_change_what_others_read(a, b, row))
      row = {"", name, AttributeEffect::unknown, "whether own code reads its input again"};
    if (is_library_class(a.class_path) && stands_for_a_method(row, name, left, right))
      row = {"", name, AttributeEffect::outputs, "a function stands in place of the class's own"};
    if (a.class_path.starts_with("torch.nn.")) settle_by_others(a, b, name, &row);
    if (row.effect == AttributeEffect::nothing && is_library_class(a.class_path)) return;
    const bool once = left == nullptr || right == nullptr;
    // It is compared with the weights, or with the factors that it is computed from.
    if (once && (is_tensor_of(a, name) || is_tensor_of(b, name))) return;
    if (once && left_out(a, name, left == nullptr ? *right : *left, row)) return;
    if (left != nullptr && right != nullptr && compare_as_configs(a, name, *left, *right)) return;
    if (name == "padding" && is_one_padding(a, b)) return;
    if (left != nullptr && right != nullptr && is_said_otherwise(a, name, *left, *right)) return;
    for (ValueDifference& each : compare_values(left, right, sides_)) {
      ModuleDifference difference{a.path,
                                  a.class_path,
                                  name + each.path,
                                  std::move(each.a),
                                  std::move(each.b),
                                  row.effect,
                                  is_code(row, left, right),
                                  each.comparable,
                                  std::string(row.why)};
      settle_hook(left, each.path, &difference);
      judge(a, b, &difference);
      difference.by_name = !is_library_class(a.class_path);
      found_.push_back(std::move(difference));
    }
  }

  /// One meaning, as torch's layers take 2 for (2, 2), and as versions of a library state it.
  bool is_said_otherwise(const ModuleRecord& module, const std::string& name, const Json& left,
                         const Json& right) const {
    if (module.class_path.starts_with("torch.nn.") && is_one_size(left, right)) return true;
    if (name == "eps" && is_own_eps(a_, module, left, right)) return true;
    return !one_library_ && (is_other_in_versions(module.class_path, name) ||
                             (is_model_library(module.class_path) && is_one_size(left, right)));
  }

  /// In place, a module changes its input. Libraries do not read that again; own code may.
  bool may_change_what_others_read(const ModuleRecord& a, const ModuleRecord& b,
                                   const AttributeRow& row) const {
    if (row.effect != AttributeEffect::nothing || !is_library_class(a.class_path)) return false;
    if (changes_nothing_in_evaluation(a.class_path) && !trains(a, b)) return false;
    return is_below(own_, a.path) || is_below(own_b_, b.path);
  }

  static bool is_function(const Json* value) {
    return value != nullptr && value->is_object() && !value->empty() &&
           (value->begin().key() == "$name" || value->begin().key() == "$class");
  }

  /// A function under a private name that the table does not know, on one side or two of them:
  /// torch.nn.Conv2d calls its own _conv_forward.
  static bool stands_for_a_method(const AttributeRow& row, std::string_view name, const Json* left,
                                  const Json* right) {
    if (row.effect != AttributeEffect::nothing || !is_unlisted_private(row, name)) return false;
    return (left == nullptr || is_function(left)) && (right == nullptr || is_function(right));
  }

  static bool is_code(const AttributeRow& row, const Json* left, const Json* right) {
    return row.attribute == "forward" || row.attribute.starts_with("_forward") ||
           (row.effect == AttributeEffect::outputs && (is_function(left) || is_function(right)));
  }

  /// "[0].n_power_iterations" of a list of hooks: what is known of a field of such an object.
  static void settle_hook(const Json* hooks, const std::string& path,
                          ModuleDifference* difference) {
    const std::size_t dot = path.find("].");
    if (hooks == nullptr || !hooks->is_array() || !path.starts_with('[') ||
        dot == std::string::npos)
      return;
    const std::size_t index = std::strtoull(path.c_str() + 1, nullptr, 10);
    if (index >= hooks->size() || !(*hooks)[index].is_object()) return;
    const auto type = (*hooks)[index].find("$class");
    if (type == (*hooks)[index].end() || !type->is_string()) return;
    const AttributeRow row =
        hook_row(type->get_ref<const std::string&>(), std::string_view(path).substr(dot + 2));
    if (row.effect == AttributeEffect::unknown) return;
    difference->effect = row.effect;
    difference->why = std::string(row.why);
    difference->is_code = false;
  }

  /// Effects in this mode, and of a field of a user's settings by its own name.
  static void judge(const ModuleRecord& a, const ModuleRecord& b, ModuleDifference* difference) {
    if (difference->effect == AttributeEffect::training && trains(a, b) &&
        is_library_class(a.class_path)) {
      difference->effect = AttributeEffect::outputs;
      difference->why = "it acts, since the module is in training mode";
    }
    const std::size_t dot = difference->attribute.rfind('.');
    const bool open = difference->effect == AttributeEffect::unknown ||
                      (difference->effect == AttributeEffect::nothing &&
                       !is_library_class(a.class_path) && holds_more_than_text(*difference));
    if (!open || dot == std::string::npos) return;
    const AttributeRow row = attribute_row("", difference->attribute.substr(dot + 1));
    difference->effect = row.effect;
    difference->why = std::string(row.why);
  }

  /// Below an attribute that is harmless where it is one text, as a run's name is.
  static bool holds_more_than_text(const ModuleDifference& difference) {
    const std::string& path = difference.attribute;
    const std::size_t end = path.find_first_of(".[");
    if (end == std::string::npos || path.substr(end).starts_with(".args")) return false;  // a Path
    return names_a_run(attribute_row("", path.substr(0, end)));
  }

  /// Of a library's class: an attribute that came with a version, and means what was so before.
  bool left_out(const ModuleRecord& module, const std::string& name, const Json& value,
                const AttributeRow& row) const {
    if (!is_library_class(module.class_path)) return false;
    if (row.attribute == "forward" || row.attribute.starts_with("_forward")) return false;
    if (is_model_library(module.class_path) && !one_library_) return true;
    return std::ranges::any_of(kFormerly, [&](const auto& former) {
      return former.first == name && Json::parse(former.second) == value;
    });
  }

  /// A config of transformers other than the model's own.
  bool compare_as_configs(const ModuleRecord& module, const std::string& name, const Json& left,
                          const Json& right) {
    const auto is_config = [](const Json& value) {
      return value.is_object() && value.contains("$config");
    };
    if (!is_config(left) || !is_config(right)) return false;
    for (FieldDifference& field : compare_configs(left["$config"], right["$config"], "")) {
      const bool matters = field.effect == FieldEffect::outputs;
      const bool unsure = field.effect == FieldEffect::unknown;
      add(module, name + "." + field.field, std::move(field.a), std::move(field.b),
          matters  ? AttributeEffect::outputs
          : unsure ? AttributeEffect::unknown
                   : AttributeEffect::nothing,
          false, std::move(field.why));
    }
    return true;
  }

  // ---- modules that stand on one side only

  /// Models of the library on both sides: what stands below them differs between its versions.
  void note_version_regions() {
    for (std::size_t i = 0; i < a_.modules.size(); ++i) {
      const std::size_t j = pairs_.of_a[i];
      if (j == kAlone || !is_model_library(a_.modules[i].class_path) ||
          !is_model_library(b_.modules[j].class_path))
        continue;
      regions_.insert(a_.modules[i].path);
      regions_b_.insert(b_.modules[j].path);
    }
  }

  /// Modules whose forward pass is no library's.
  void note_own_code() {
    const auto note = [](const Checkpoint& side, std::unordered_set<std::string_view>* own) {
      for (const ModuleRecord& module : side.modules) {
        if (!is_library_class(module.class_path) || module.attributes.contains("forward"))
          own->insert(module.path);
      }
    };
    note(a_, &own_);
    note(b_, &own_b_);
  }

  static bool is_below(const std::unordered_set<std::string_view>& regions, std::string_view path) {
    while (true) {
      if (regions.contains(path)) return true;
      if (path.empty()) return false;
      path = parent_path(path);
    }
  }

  bool in_version_region(std::string_view path) const { return is_below(regions_, path); }

  void check_alone(const ModuleRecord& module, bool in_a) {
    std::unordered_set<std::string_view>& said = in_a ? said_a_ : said_b_;
    const std::string& path = module.path;
    if (!path.empty() && said.contains(parent_path(path))) {
      said.insert(path);
      return;  // it stands in one that was named
    }
    if (changes_nothing_in_evaluation(module.class_path) &&
        !(module.training && module.class_path.find("drop") != std::string::npos))
      return;
    if (!one_library_ && is_below(in_a ? regions_ : regions_b_, path)) return;
    if (!wraps(module)) said.insert(path);
    const bool known = is_library_class(module.class_path) && !wraps(module);
    const Json type = module.class_path;
    add(module, "", in_a ? type : Json(), in_a ? Json() : type,
        known ? AttributeEffect::outputs : AttributeEffect::unknown, true,
        wraps(module) ? "a class around the model, whose code is not known"
                      : "a module that the other side does not have");
  }

  static bool wraps(const ModuleRecord& module) { return module.path.empty(); }

  // ---- order

  /// Of modules that run their children in order, those must stand in one order on both sides.
  void check_order() {
    std::unordered_map<std::string_view, std::size_t> last;  // by the parent's path in A
    for (std::size_t i = 0; i < a_.modules.size(); ++i) {
      const std::size_t j = pairs_.of_a[i];
      const std::string& path = a_.modules[i].path;
      if (j == kAlone || path.empty()) continue;
      const std::string_view parent = parent_path(path);
      const ModuleRecord* owner = module_at(parent);
      if (owner == nullptr || !may_follow_order(*owner)) continue;
      const auto [before, is_first] = last.emplace(parent, j);
      if (is_first) continue;
      if (j < before->second && out_of_order_.insert(parent).second)
        add(*owner, "order", parts_in_order(parent, true), parts_in_order(parent, false),
            runs_in_order(*owner) ? AttributeEffect::outputs : AttributeEffect::unknown, true,
            "its parts stand in another order");
      before->second = std::max(before->second, j);
    }
  }

  /// "0, 1": names of the parts of a module of A that have a partner, in A's order or in B's.
  std::string parts_in_order(std::string_view parent, bool of_a) const {
    constexpr std::size_t kShown = 8;
    std::vector<std::pair<std::size_t, std::string_view>> parts;
    for (std::size_t i = 0; i < a_.modules.size(); ++i) {
      const std::string_view path = a_.modules[i].path;
      const std::size_t j = pairs_.of_a[i];
      if (j == kAlone || path.empty() || parent_path(path) != parent) continue;
      const std::string_view own = of_a ? path : std::string_view(b_.modules[j].path);
      parts.emplace_back(of_a ? i : j, own.substr(own.rfind('.') + 1));
    }
    std::ranges::sort(parts);
    std::string text;
    for (std::size_t i = 0; i < std::min(parts.size(), kShown); ++i)
      text += (i == 0 ? "" : ", ") + std::string(parts[i].second);
    return parts.size() > kShown ? text + ", ..." : text;
  }

  /// A ModuleDict, or a user's class, may be gone through in its order.
  static bool may_follow_order(const ModuleRecord& module) {
    return runs_in_order(module) || module.class_path.ends_with("container.ModuleDict") ||
           !is_library_class(module.class_path);
  }

  static bool runs_in_order(const ModuleRecord& module) {
    return module.class_path.ends_with("container.Sequential") ||
           module.class_path.ends_with("container.ModuleList");
  }

  const ModuleRecord* module_at(std::string_view path) {
    if (places_.empty()) {
      for (const ModuleRecord& module : a_.modules) places_.emplace(module.path, &module);
    }
    const auto found = places_.find(path);
    return found == places_.end() ? nullptr : found->second;
  }

  const Checkpoint& a_;
  const Checkpoint& b_;
  ModulePairs pairs_;
  bool one_library_;
  ValueSides sides_;
  std::unordered_map<std::string, std::string> tensors_;  // names and paths of A, and B's
  std::unordered_map<std::string_view, const ModuleRecord*> places_;
  std::unordered_set<std::string_view> own_, own_b_;
  std::unordered_set<std::string_view> regions_, regions_b_, said_a_, said_b_, out_of_order_;
  std::vector<ModuleDifference> found_;
};

}  // namespace

std::vector<ModuleDifference> compare_modules(const Checkpoint& a, const Checkpoint& b,
                                              const NamePairs& tensors, bool one_library) {
  return TreeComparison(a, b, tensors, one_library).compare();
}

}  // namespace samebits
