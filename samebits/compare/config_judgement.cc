#include "samebits/compare/config_judgement.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/version_fields.h"
#include "samebits/family/activations.h"
#include "samebits/family/attribute_names.h"
#include "samebits/family/classes.h"
#include "samebits/family/token_fields.h"
#include "samebits/family/word_list.h"

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
bool has_unknown_default(const ConfigField& row, const ConfigLevel& level,
                         const std::string& name) {
  const Json* left = find_value(level.a, name);
  const Json* right = find_value(level.b, name);
  const Json* stated = left != nullptr ? left : right;
  return (left == nullptr) != (right == nullptr) && !stated->is_object() && !level.type.empty() &&
         row.effect == FieldEffect::outputs && row.name != "model_type";
}

/// The row of a field, or of the name that other classes have for it.
const ConfigField* find_row(const ConfigTable& table, const ConfigLevel& level,
                            std::string_view name) {
  const ConfigField* row = table.find(name);
  return row != nullptr ? row : table.find(usual_name(name, level.type));
}

FieldJudgement judge_field(const ConfigTable& table, const ConfigLevel& level,
                           const std::string& name) {
  const ConfigField* row = find_row(table, level, name);
  for (std::size_t end = name.rfind('.'); row == nullptr && end != std::string::npos && end > 0;
       end = name.rfind('.', end - 1))
    row = find_row(table, level, std::string_view(name).substr(0, end));
  if (row == nullptr) return {FieldEffect::unknown, "a field that is not in the table"};
  std::string why(row->why);
  const bool of_class = row->effect == FieldEffect::nothing && !row->models.empty();
  if ((is_of_generate(*row) || of_class) && level.own_code)
    return {FieldEffect::unknown, "code beside the weights may read it"};
  if (has_unknown_default(*row, level, name))
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
  if (reader->ending == "ForCTC") return {FieldEffect::training, std::string(reader->why)};
  const bool one_sided =
      find_value(level.a, name) == nullptr || find_value(level.b, name) == nullptr;
  if (reads && one_sided)
    return {FieldEffect::unknown, std::string(reader->why) + ", unless it is the class's default"};
  if (reads) return {FieldEffect::outputs, std::string(reader->why)};
  return {FieldEffect::unknown, fmt::format("in classes {}, {}", reader->ending, reader->why)};
}

bool names_activation(std::string_view field) {
  constexpr auto kFields = std::to_array<std::string_view>(
      {"hidden_act", "hidden_activation", "activation_function", "activation", "dense_act_fn",
       "feat_extract_activation", "projector_hidden_act", "classifier_activation"});
  return std::ranges::find(kFields, field) != kFields.end();
}

FieldJudgement judge_activation(const ConfigLevel& level, const ConfigTable& table,
                                const std::string& name) {
  FieldJudgement judgement = judge_field(table, level, name);
  if (judgement.effect != FieldEffect::outputs) return judgement;
  const std::string a = text_of(level.a, name);
  const std::string b = text_of(level.b, name);
  constexpr std::string_view kTanh = "gelu_pytorch_tanh";
  if (level.type == "gemma" && name == "hidden_act" &&
      ((a == "gelu" && b == kTanh) || (a == kTanh && b == "gelu")))
    return {FieldEffect::version,
            "another activation in transformers 4, and 5 takes gelu for the "
            "approximation by tanh"};
  const ActivationName* left = find_activation(a);
  const ActivationName* right = find_activation(b);
  if (left == nullptr || right == nullptr || left->function != right->function) return judgement;
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

/// Whether the angles of rotary embeddings do not depend on how many positions there may be.
bool has_fixed_angles(const Json* rope) {
  if (rope == nullptr || !rope->is_object() || rope->empty()) return false;
  const auto is_fixed = [](const Json& kind) {
    return kind == "default" || kind == "linear" || kind == "llama3";
  };
  if (const auto kind = rope->find("rope_type"); kind != rope->end()) return is_fixed(*kind);
  return std::ranges::all_of(*rope, [&](const Json& layers) {
    return layers.is_object() && layers.contains("rope_type") && is_fixed(layers["rope_type"]);
  });
}

/// Why a field says nothing beside what both configs say of another; nullptr where it may.
const char* unread_beside(const ConfigLevel& level, const ConfigTable& table,
                          std::string_view name) {
  if (level.own_code) return nullptr;
  const auto both = [&](std::string_view field, const auto& says) {
    return says(find_value(level.a, field)) && says(find_value(level.b, field));
  };
  const auto is_false = [](const Json* value) { return value != nullptr && *value == false; };
  const auto all_full = [](const Json* layers) {
    return layers != nullptr && layers->is_array() &&
           std::ranges::all_of(*layers, [](const Json& kind) { return kind == "full_attention"; });
  };
  const bool of_window = name == "sliding_window" || name == "max_window_layers";
  if ((of_window || name == "use_sliding_window") && lists_word("qwen2 qwen3", level.type) &&
      both("layer_types", all_full))
    return "both configs list layers without a window alone";
  if (of_window && lists_word("qwen2 qwen2_moe qwen3 qwen3_moe", level.type))
    return both("use_sliding_window", is_false) ? "neither config switches the window on" : nullptr;
  const auto is_there = [](const Json* value) { return value != nullptr; };
  if (name == "feed_forward_proj" && lists_word("t5 mt5 umt5", level.type) &&
      both("dense_act_fn", is_there) && both("is_gated_act", is_there))
    return "dense_act_fn and is_gated_act stand beside it, and are read in its place";
  const auto is_basic = [](const Json* value) { return value != nullptr && *value == "basic"; };
  if (name == "downsample_in_bottleneck" && both("layer_type", is_basic))
    return "neither model has bottlenecks";
  if (name == "projection_dim" && lists_word("clip_text_model clip_vision_model", level.type) &&
      level.whole.find("CLIPModel") != std::string::npos)
    return "the model reads that of the whole config";
  const ConfigField* row = table.find(name);
  if (row != nullptr && row->why == kOfRotaryKind)
    return both("rope_parameters", has_fixed_angles)
               ? "rotary embeddings of this kind do not depend on it"
               : nullptr;
  return nullptr;
}

}  // namespace

std::string text_for(const Json& value) {
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

FieldJudgement judge_difference(const ConfigLevel& level, const ConfigTable& table,
                                const std::string& name) {
  if (name == "tie_word_embeddings") {
    if (const char* why = unread_tie(level.a, level.b, level.classes))
      return {FieldEffect::nothing, why};
    if (is_tie_of_4_alone(level.a, level.b))
      return {FieldEffect::version,
              "transformers 4 shares the embeddings, and scales logits, by it; 5 ties only equal "
              "values of the file, and makes the same of both"};
  }
  if (const char* why = unread_by_classes(name, level.classes)) return {FieldEffect::nothing, why};
  if (const char* why = unread_rule(level, name)) return {FieldEffect::nothing, why};
  if (const char* why = unread_beside(level, table, name)) return {FieldEffect::nothing, why};
  if (names_activation(name)) return judge_activation(level, table, name);
  if (name == "id2label") return judge_labels(level.a, level.b);
  if (is_token_field(name)) return judge_token(level, name);
  if (name == "num_labels" && !level.classifies)
    return {FieldEffect::nothing, "neither class has a classifier"};
  return judge_field(table, level, name);
}

}  // namespace samebits
