#include "samebits/compare/config_judgement.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/version_fields.h"
#include "samebits/family/activations.h"
#include "samebits/family/classes.h"
#include "samebits/family/token_fields.h"

namespace samebits {
namespace {

/// Why none of the stated classes reads the field; nullptr where one may.
const char* unread_by_classes(std::string_view field, const std::string& classes) {
  if (classes.find('?') != std::string::npos) return nullptr;
  const auto any = [&](std::string_view part) { return classes.find(part) != std::string::npos; };
  const bool heads_only = std::ranges::none_of(model::classes(), [&](const auto& each) {
    return (each.optional & model::kPooler) != 0 && any(each.name);
  });
  if ((field == "pooler_act" || field == "pooler_output_size") && heads_only)
    return "neither class has a pooler";
  if (field == "encoder_stride" && !any("MaskedImageModeling"))
    return "neither class predicts masked images";
  const bool of_backbone = field == "apply_layernorm" || field == "reshape_hidden_states" ||
                           field == "out_features" || field == "out_indices";
  if (of_backbone && !any("Backbone")) return "neither class is a backbone";
  return nullptr;
}

/// Whether absence is no value: a size or a choice, which then is the class's own.
bool has_unknown_default(const ConfigField& row, const ConfigLevel& level) {
  const Json* left = find_value(level.a, row.name);
  const Json* right = find_value(level.b, row.name);
  const Json* stated = left != nullptr ? left : right;
  return (left == nullptr) != (right == nullptr) && stated->is_primitive() && !level.type.empty() &&
         row.effect == FieldEffect::outputs && row.name != "model_type";
}

FieldJudgement judge_field(const ConfigTable& table, const ConfigLevel& level,
                           const std::string& name) {
  const ConfigField* row = table.find(name);
  for (std::size_t end = name.rfind('.'); row == nullptr && end != std::string::npos && end > 0;
       end = name.rfind('.', end - 1))
    row = table.find(std::string_view(name).substr(0, end));
  if (row == nullptr) return {FieldEffect::unknown, "a field that is not in the table"};
  std::string why(row->why);
  if (is_of_generate(*row) && level.own_code)
    return {FieldEffect::unknown, "code beside the weights may read it"};
  if (row->name == name && has_unknown_default(*row, level))
    return {FieldEffect::unknown, why + ", unless it is the class's default"};
  return {row->effect, std::move(why)};
}

/// Of a special token's number.
FieldJudgement judge_token(const ConfigLevel& level, const std::string& name) {
  if (level.own_code) return {FieldEffect::unknown, "code beside the weights may read it"};
  const TokenField* reader = find_token_reader(name, level.type);
  if (reader == nullptr)
    return {FieldEffect::nothing, "no forward pass of this model type reads it"};
  const bool named = level.whole.find('?') == std::string::npos;
  const bool reads = level.whole.find(reader->ending) != std::string::npos;
  if (named && !reads) return {FieldEffect::nothing, "no forward pass of this class reads it"};
  const bool one_sided =
      find_value(level.a, name) == nullptr || find_value(level.b, name) == nullptr;
  if (reads && one_sided)
    return {FieldEffect::unknown, std::string(reader->why) + ", unless it is the class's default"};
  if (reads) return {FieldEffect::outputs, std::string(reader->why)};
  return {FieldEffect::unknown, fmt::format("in classes {}, {}", reader->ending, reader->why)};
}

FieldJudgement judge_activation(const ConfigLevel& level, const ConfigTable& table) {
  const ActivationName* left = find_activation(text_of(level.a, "hidden_act"));
  const ActivationName* right = find_activation(text_of(level.b, "hidden_act"));
  if (left == nullptr || right == nullptr || left->function != right->function)
    return judge_field(table, level, "hidden_act");
  if (left->function == Activation::silu)
    return {FieldEffect::nothing, "two names of one function"};
  return {FieldEffect::numerics, "the same function, rounded otherwise"};
}

/// Names of classes on both sides. Made-up ones (LABEL_0) are absent by then.
FieldJudgement judge_labels(const FieldMap& a, const FieldMap& b) {
  const Json *left = find_value(a, "id2label"), *right = find_value(b, "id2label");
  if (left == nullptr || right == nullptr) return {FieldEffect::nothing, "names of classes"};
  const auto sorted = [](const Json& names) {
    std::multiset<std::string> texts;
    for (const Json& line : names) {
      const std::string text = text_for(line);  // "0: cat"
      texts.insert(text.substr(std::min(text.find(": "), text.size())));
    }
    return texts;
  };
  return {FieldEffect::labels, sorted(*left) == sorted(*right) ? "the same names, of other outputs"
                                                               : "outputs with other names"};
}

/// Why a rule by which layers are chosen says nothing: both sides list the kind of each layer.
const char* unread_rule(const ConfigLevel& level, std::string_view name) {
  const bool of_types = name == "sliding_window_pattern" || name == "full_attn_idxs";
  if (!of_types && name != "no_rope_layer_interval") return nullptr;
  const std::string_view list = of_types ? "layer_types" : "no_rope_layers";
  const bool both = find_value(level.a, list) != nullptr && find_value(level.b, list) != nullptr;
  return both ? "both configs list the kind of each layer" : nullptr;
}

}  // namespace

std::string text_for(const Json& value) {
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

FieldJudgement judge_difference(const ConfigLevel& level, const ConfigTable& table,
                                const std::string& name) {
  if (name == "tie_word_embeddings")
    if (const char* why = unread_tie(level.a, level.b, level.classes))
      return {FieldEffect::nothing, why};
  if (const char* why = unread_by_classes(name, level.classes)) return {FieldEffect::nothing, why};
  if (const char* why = unread_rule(level, name)) return {FieldEffect::nothing, why};
  if (name == "hidden_act") return judge_activation(level, table);
  if (name == "id2label") return judge_labels(level.a, level.b);
  if (is_token_field(name)) return judge_token(level, name);
  if (name == "num_labels" && !level.classifies)
    return {FieldEffect::nothing, "neither class has a classifier"};
  return judge_field(table, level, name);
}

}  // namespace samebits
