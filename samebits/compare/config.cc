#include "samebits/compare/config.h"

#include <algorithm>
#include <optional>
#include <set>

#include "samebits/base/float_mode.h"
#include "samebits/compare/config_judgement.h"
#include "samebits/compare/field_map.h"
#include "samebits/compare/version_fields.h"
#include "samebits/family/attribute_names.h"
#include "samebits/family/class_defaults.h"
#include "samebits/family/token_fields.h"
#include "samebits/family/word_list.h"

namespace samebits {
namespace {

/// What the outermost configs say for all parts inside of them.
struct Whole {
  std::string version_a, version_b;  // of the transformers that wrote them, or ""
  std::string classes;               // of both, as class_names() gives them
  ConfigContext context;
};

/// An attribute dictionary holds every field; a config.json only those that differ from the base
/// class. Attributes say nothing of the type of weights that were converted after construction.
bool is_attribute_dict(const Json& config) {
  return config.is_object() && config.contains("return_dict") &&
         config.contains("output_hidden_states");
}

/// "blip-2" of a config.json is the folder blip_2 of the class.
void unify_type(FieldMap& fields) {
  const auto found = fields.find("model_type");
  if (found == fields.end() || !found->second.value.is_string()) return;
  std::ranges::replace(found->second.value.get_ref<std::string&>(), '-', '_');
}

void unify_dtype(FieldMap& fields) {
  const auto found = fields.find("dtype");
  if (found == fields.end() || !found->second.value.is_string()) return;
  std::string& name = found->second.value.get_ref<std::string&>();
  if (name.starts_with("torch.")) name.erase(0, 6);
}

/// [224, 224] and 224 are one size.
void unify_square(FieldMap& fields, std::string_view name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return;
  Json& value = found->second.value;
  if (!value.is_array() || value.size() != 2 || !value[0].is_number() || value[0] != value[1])
    return;
  Json side = value[0];
  value = std::move(side);
}

/// {"0": "cat"} as ["0: cat"], sorted by key: labels are compared as one value.
Json label_list(const Json& labels) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : labels.items()) lines.push_back(key + ": " + text_for(value));
  std::sort(lines.begin(), lines.end());
  return lines;
}

bool is_default_label(const std::string& key, const Json& value) {
  if (value.is_string()) return value == "LABEL_" + key;
  return value.is_number_integer() && key == "LABEL_" + json_text(value);
}

/// Names that the library makes up are what absent names mean.
void unify_labels(FieldMap& fields, std::string_view name) {
  const auto found = fields.find(name);
  if (found == fields.end() || !found->second.value.is_object()) return;
  Json& labels = found->second.value;
  bool made_up = true;
  for (const auto& [key, value] : labels.items()) made_up = made_up && is_default_label(key, value);
  if (made_up) {
    fields.erase(found);
  } else {
    labels = label_list(labels);
  }
}

/// The number of labels follows from their names, wherever those stand.
void unify_label_count(FieldMap& fields) {
  const Json* labels = find_value(fields, "id2label");
  if (labels != nullptr && labels->is_object()) {
    fields.insert_or_assign("num_labels", FieldValue{labels->size(), false});
  } else {
    assume(fields, "num_labels", 2);
  }
  unify_labels(fields, "id2label");
  unify_labels(fields, "label2id");
}

std::optional<std::int64_t> block_count(const FieldMap& fields) {
  const Json* count = find_value(fields, "num_hidden_layers");
  if (count == nullptr || !count->is_number_integer()) return std::nullopt;
  const auto blocks = count->get<std::int64_t>();
  if (blocks < 0 || blocks > 1'000'000) return std::nullopt;
  return blocks;
}

/// A backbone's indices into ["stem", "stage1", ...] and their names are one field.
void features_from_indices(FieldMap& fields, std::int64_t blocks) {
  const Json* indices = find_value(fields, "out_indices");
  if (indices == nullptr || !indices->is_array()) return;
  Json names = Json::array();
  for (const Json& item : *indices) {
    if (!item.is_number_integer()) return;
    const auto index = item.get<std::int64_t>();
    const std::int64_t stage = index < 0 && index >= -blocks ? index + blocks + 1 : index;
    names.push_back(stage == 0 ? "stem" : "stage" + std::to_string(stage));
  }
  fields.erase("out_indices");
  fields.try_emplace("out_features", FieldValue{std::move(names), false});
}

/// Defaults that follow from other fields.
void assume_derived(FieldMap& fields, const std::string& model_type) {
  const Json* width = find_value(fields, "hidden_size");
  if (has_default(model_type, "pooler_act") && width != nullptr)
    assume(fields, "pooler_output_size", Json(*width));
  if (!has_default(model_type, "apply_layernorm")) return;  // it has no backbone
  fields.erase("stage_names");
  const auto blocks = block_count(fields);
  if (!blocks) return;
  features_from_indices(fields, *blocks);
  assume(fields, "out_features", Json::array({"stage" + std::to_string(*blocks)}));
}

/// Of these null leaves the choice to the class. Of any other field with a default it is a value:
/// no such token, no cap, no window.
bool null_is_absent(std::string_view field) {
  return field == "attn_implementation" || field == "experts_implementation" ||
         field == "position_embedding_type";
}

/// Where the classes of a type have a default of their own. Code beside the weights has others.
void assume_class_defaults(FieldMap& fields, const Json& config, const std::string& type,
                           const std::string& version) {
  std::set<std::string_view> names;
  for (const ClassDefault& row : class_default_rows()) names.insert(row.field);
  for (const std::string_view name : names) {
    const std::string_view fallback = class_default(name, type, version);
    if (fallback.empty()) continue;
    const auto stated = config.find(name);
    if (!null_is_absent(name) && stated != config.end() && stated->is_null())
      fields.try_emplace(std::string(name), FieldValue{nullptr, false});
    assume(fields, name, Json::parse(fallback));
  }
}

/// Where another field says it, times a factor.
void assume_derived_defaults(FieldMap& fields, const std::string& type) {
  constexpr std::int64_t kLargest = 1'000'000'000;
  for (const DerivedDefault& row : derived_default_rows()) {
    const Json* from = find_value(fields, row.from);
    if (from == nullptr || !from->is_number_integer() || !lists_word(row.types, type)) continue;
    const auto value = from->get<std::int64_t>();
    if (value >= 0 && value <= kLargest) assume(fields, row.field, value * row.factor);
  }
}

/// num_attention_heads of a GPT-2 is its n_head, and counts where both are stated.
void unify_attribute_names(FieldMap& fields, const std::string& type) {
  for (const AttributeName& row : attribute_name_rows()) {
    const auto found = fields.find(row.alias);
    if (found == fields.end() || !lists_word(row.types, type)) continue;
    FieldValue value = std::move(found->second);
    fields.erase(found);
    fields.insert_or_assign(std::string(row.name), std::move(value));
  }
}

/// `version`: by which transformers wrote the whole config.
FieldMap normalized(const Json& config, const std::string& model_type, const std::string& version) {
  FieldMap fields = fields_of(config);
  for (const FieldAlias& alias : config_aliases()) rename_field(fields, alias.alias, alias.name);
  unify_attribute_names(fields, model_type);
  unify_type(fields);
  unify_dtype(fields);
  unify_spellings(fields);
  unify_label_count(fields);
  if (config.is_object() && !config.contains("auto_map")) {
    assume_class_defaults(fields, config, model_type, version);
    assume_derived_defaults(fields, model_type);
  }
  const ConfigTable table(model_type);
  for (const auto& [name, field] : table.fields()) {
    if (!field.fallback.empty()) assume(fields, name, Json::parse(field.fallback));
  }
  assume_derived(fields, model_type);
  for (const std::string_view name : {"image_size", "patch_size"}) unify_square(fields, name);
  return fields;
}

/// One side without a dtype: it loads in that of its weights. Where those are not there, that says
/// nothing beside saved attributes, and float32 otherwise.
void settle_dtype(FieldMap& a, FieldMap& b, bool other_is_attributes, const std::string& weights) {
  if (find_value(a, "dtype") == nullptr || find_value(b, "dtype") != nullptr) return;
  if (!weights.empty()) return assume(b, "dtype", weights);
  if (other_is_attributes || text_of(a, "dtype") == "float32") a.erase("dtype");
}

void drop_one_sided(FieldMap& a, FieldMap& b, const ConfigTable& table) {
  for (const auto& [name, field] : table.fields()) {
    if (!field.where_both || (find_value(a, name) != nullptr && find_value(b, name) != nullptr))
      continue;
    a.erase(std::string(name));
    b.erase(std::string(name));
  }
  // Where neither names a kernel, both take that of the version that loads them.
  constexpr std::string_view kKernel = "attn_implementation";
  const auto left = a.find(kKernel);
  const auto right = b.find(kKernel);
  if (left == a.end() || right == b.end() || !left->second.assumed || !right->second.assumed)
    return;
  a.erase(left);
  b.erase(right);
}

/// A default that only one side's class is known to have, and that neither side states, says
/// nothing: of code beside the weights no default is known.
void drop_lone_defaults(FieldMap& a, FieldMap& b) {
  const auto drop = [](FieldMap& own, const FieldMap& other) {
    std::erase_if(own, [&](const auto& field) {
      return field.second.assumed && find_value(other, field.first) == nullptr;
    });
  };
  drop(a, b);
  drop(b, a);
}

/// Names of classes that the library makes up stand for none; what is told is what stands there.
void restore_labels(FieldDifference* field, const Json& a, const Json& b) {
  if (field->field != "id2label" && field->field != "label2id") return;
  const auto restore = [&](const Json& config, Json* value, bool* missing) {
    const auto found = config.find(field->field);
    if (!*missing || found == config.end() || !found->is_object()) return;
    *value = label_list(*found);
    *missing = false;
  };
  restore(a, &field->a, &field->missing_a);
  restore(b, &field->b, &field->missing_b);
}

/// False where the classes are stated and none of them classifies: then no weight follows.
bool may_classify(const FieldMap& fields) {
  const Json* classes = find_value(fields, "architectures");
  return classes == nullptr || text_for(*classes).find("Classification") != std::string::npos;
}

/// "ViTModel" of the field architectures; "?" where it is not said.
std::string class_names(const FieldMap& fields) {
  const Json* classes = find_value(fields, "architectures");
  return classes == nullptr || !classes->is_array() || classes->empty() ? "?" : text_for(*classes);
}

std::string type_of(const Json& config, const std::string& otherwise) {
  const std::string own = text_of(fields_of(config), "model_type");
  return own.empty() ? otherwise : usual_type(own);
}

std::vector<FieldDifference> compare_at(const Json& a, const Json& b, const std::string& model_type,
                                        const Whole& whole, int depth);

/// text_config, vision_config, and what names a model's type (encoder, decoder).
bool is_config_part(std::string_view name, const Json& value) {
  if (!value.is_object() || name == "quantization_config") return false;
  const auto type = value.find("model_type");
  return name.ends_with("_config") || (type != value.end() && type->is_string());
}

/// Configs inside of configs, which have fields and defaults of their own: compared as such where
/// both sides have them, and taken out of the fields.
std::vector<FieldDifference> compare_parts(FieldMap& a, FieldMap& b, const Whole& whole,
                                           int depth) {
  std::vector<FieldDifference> found;
  for (auto part = a.begin(); part != a.end();) {
    const std::string name = part->first;
    const auto other = b.find(name);
    const bool is_part = other != b.end() && is_config_part(name, part->second.value) &&
                         other->second.value.is_object();
    if (!is_part || depth > 4) {
      ++part;
      continue;
    }
    for (FieldDifference& each :
         compare_at(part->second.value, other->second.value, "", whole, depth + 1)) {
      // transformers 4 leaves a part's own default of it out.
      if (each.field == "pad_token_id" && (each.missing_a || each.missing_b) &&
          each.effect == FieldEffect::nothing)
        continue;
      each.field = name + "." + each.field;
      found.push_back(std::move(each));
    }
    part = a.erase(part);
    b.erase(other);
  }
  return found;
}

ConfigLevel level_of(const Json& a, const Json& b, const std::string& model_type,
                     const Whole& whole, int depth) {
  const std::string type_a = type_of(a, model_type);
  const std::string type_b = type_of(b, type_a);
  ConfigLevel level{.a = normalized(a, type_a.empty() ? type_b : type_a, whole.version_a),
                    .b = normalized(b, type_b, whole.version_b),
                    .type = type_a.empty() ? type_b : type_a,
                    .own_code = a.contains("auto_map") || b.contains("auto_map")};
  // 5.24.0 names the type of a part by what it is of: "qwen2_vl_vision".
  const bool are_one_part =
      depth > 0 && (type_b == type_a + "_vision" || type_a == type_b + "_vision");
  if (are_one_part) level.a["model_type"] = level.b["model_type"];
  level.classifies = may_classify(level.a) || may_classify(level.b);
  level.classes = class_names(level.a) + class_names(level.b);
  level.whole = level.classes.find('?') == std::string::npos ? level.classes : whole.classes;
  return level;
}

std::vector<FieldDifference> compare_at(const Json& a, const Json& b, const std::string& model_type,
                                        const Whole& whole, int depth) {
  ConfigLevel level = level_of(a, b, model_type, whole, depth);
  // A part is loaded in the type of the whole.
  const ConfigContext& context = depth == 0 ? whole.context : ConfigContext{};
  settle_dtype(level.a, level.b, is_attribute_dict(b), context.dtype_b);
  settle_dtype(level.b, level.a, is_attribute_dict(a), context.dtype_a);
  const ConfigTable table(level.type);
  drop_derived(level.a, level.b);
  drop_one_sided(level.a, level.b, table);
  if (level.own_code) drop_lone_defaults(level.a, level.b);
  std::vector<FieldDifference> parts = compare_parts(level.a, level.b, whole, depth);
  std::vector<FieldDifference> found =
      compare_fields(level.a, level.b,
                     [&](const std::string& name) { return judge_difference(level, table, name); });
  for (FieldDifference& each : found) restore_labels(&each, a, b);
  found.insert(found.end(), std::make_move_iterator(parts.begin()),
               std::make_move_iterator(parts.end()));
  return found;
}

}  // namespace

std::vector<FieldDifference> compare_configs(const Json& a, const Json& b,
                                             const std::string& model_type,
                                             const ConfigContext& context) {
  const FloatMode contract;
  const FieldMap left = fields_of(a);
  const FieldMap right = fields_of(b);
  const Whole whole{.version_a = text_of(left, "transformers_version"),
                    .version_b = text_of(right, "transformers_version"),
                    .classes = class_names(left) + class_names(right),
                    .context = context};
  std::vector<FieldDifference> found = compare_at(a, b, model_type, whole, 0);
  std::ranges::stable_sort(found, {}, [](const FieldDifference& each) {
    return std::pair(each.effect != FieldEffect::outputs, std::string_view(each.field));
  });
  return found;
}

}  // namespace samebits
