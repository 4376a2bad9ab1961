#include "samebits/compare/version_fields.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "samebits/family/word_list.h"

namespace samebits {
namespace {

/// Types whose classes take 10000 where the config names no base, in both versions.
constexpr auto kBaseOf10000 = std::to_array<std::string_view>(
    {"cohere", "esm",       "falcon", "gemma",     "gemma2",   "glm",       "gpt_neox",
     "llama",  "mistral",   "mimi",   "olmo",      "olmo2",    "phi",       "phi3",
     "qwen2",  "qwen2_moe", "qwen3",  "qwen3_moe", "stablelm", "starcoder2"});

bool is_plain_object(const Json* value) { return value != nullptr && value->is_object(); }

bool is_plain_array(const Json* value) { return value != nullptr && value->is_array(); }

/// rope_parameters of a class that has several kinds of layers.
bool is_by_layer(const Json& rope) {
  return std::ranges::any_of(rope, [](const Json& value) { return value.is_object(); });
}

Json take_field(FieldMap& fields, std::string_view name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return {};
  Json value = std::move(found->second.value);
  fields.erase(found);
  return value;
}

/// "type" is what rope_type was called, and both stand in files whose first version said "type".
/// Where they contradict each other both stay: 4.57.6 takes the one, 5.24.0 the other.
void unify_rope_type(Json* rope) {
  const auto old = rope->find("type");
  if (old == rope->end() || !old->is_string()) return;
  const Json kind = *old == "mrope" ? Json("default") : *old;  // which sections say already
  if (!rope->contains("rope_type") || (*rope)["rope_type"] == "mrope") (*rope)["rope_type"] = kind;
  if ((*rope)["rope_type"] == kind) rope->erase("type");
}

/// For how many positions a model was trained before its angles were scaled: 5.24.0 writes the
/// number that these kinds took before from the fields beside them.
void state_trained_positions(const FieldMap& fields, Json* rope) {
  constexpr const char* kTrained = "original_max_position_embeddings";
  const Json kind = rope->value("rope_type", Json());
  if (kind != "yarn" && kind != "longrope" && kind != "llama3") return;
  const Json* beside = find_value(fields, kTrained);
  const Json* most = beside != nullptr ? beside : find_value(fields, "max_position_embeddings");
  if (most == nullptr || !most->is_number()) return;
  if (beside != nullptr || rope->value(kTrained, Json()).is_null()) (*rope)[kTrained] = *most;
}

void complete_rope(const FieldMap& fields, Json* rope) {
  unify_rope_type(rope);
  state_trained_positions(fields, rope);
}

/// rope_parameters with one object for each kind of layers.
void complete_rope_by_layer(FieldMap& fields) {
  Json rope = fields.find("rope_parameters")->second.value;
  for (Json& layers : rope) {
    if (layers.is_object()) complete_rope(fields, &layers);
  }
  fields.insert_or_assign("rope_parameters", FieldValue{std::move(rope), false});
}

/// 4.57.6 writes rope_theta, rope_scaling and partial_rotary_factor beside one another.
void unify_rope(FieldMap& fields) {
  const Json* written = find_value(fields, "rope_parameters");
  if (is_plain_object(written) && is_by_layer(*written)) return complete_rope_by_layer(fields);
  Json rope = is_plain_object(written) ? *written : Json::object();
  const Json* scaling = find_value(fields, "rope_scaling");
  if (is_plain_object(scaling)) {
    if (is_by_layer(*scaling)) return;
    for (const auto& [name, value] : scaling->items())
      if (!rope.contains(name)) rope[name] = value;
    fields.erase("rope_scaling");
  }
  complete_rope(fields, &rope);
  const auto move_to = [&](const char* name, std::initializer_list<const char*> spellings) {
    for (const char* spelling : spellings) {
      Json value = take_field(fields, spelling);
      if (!value.is_null() && !rope.contains(name)) rope[name] = std::move(value);
    }
  };
  move_to("rope_theta", {"rope_theta", "rotary_emb_base"});
  move_to("partial_rotary_factor", {"partial_rotary_factor", "rotary_pct"});
  const std::string type = text_of(fields, "model_type");
  const bool has_usual = std::ranges::find(kBaseOf10000, type) != kBaseOf10000.end();
  if (rope.empty() && !has_usual) return;
  const auto assume_in = [&](const char* name, Json value) {
    if (!rope.contains(name)) rope[name] = std::move(value);
  };
  if (has_usual) assume_in("rope_theta", 10000.0);
  // 5.24.0 writes "axial" where the class has no other kind.
  if (type == "pixtral" && rope.value("rope_type", Json()) == "axial")
    rope["rope_type"] = "default";
  assume_in("rope_type", "default");
  assume_in("partial_rotary_factor", 1.0);
  fields.insert_or_assign("rope_parameters", FieldValue{std::move(rope), false});
}

/// A class with two kinds of layers: 4.57.6 writes a base for each beside the others, 5.24.0 one
/// rope_parameters for each kind.
void unify_rope_by_layer(FieldMap& fields) {
  struct Bases {
    std::string_view full, sliding;
  };
  for (const auto& [full, sliding] : {Bases{"rope_theta", "rope_local_base_freq"},
                                      Bases{"global_rope_theta", "local_rope_theta"}}) {
    const Json* own = find_value(fields, full);
    const Json* local = find_value(fields, sliding);
    if (own == nullptr || local == nullptr || !own->is_number() || !local->is_number()) continue;
    Json whole = {{"rope_theta", *own}, {"rope_type", "default"}};
    Json window = {{"rope_theta", *local}, {"rope_type", "default"}};
    const Json* scaling = find_value(fields, "rope_scaling");
    if (is_plain_object(scaling)) {
      if (scaling->contains("type") && !scaling->contains("rope_type")) whole.erase("rope_type");
      whole.update(*scaling);
    }
    for (const std::string_view name : {full, sliding, std::string_view("rope_scaling")})
      if (const auto field = fields.find(name); field != fields.end()) fields.erase(field);
    Json rope = {{"full_attention", std::move(whole)}, {"sliding_attention", std::move(window)}};
    fields.insert_or_assign("rope_parameters", FieldValue{std::move(rope), false});
    return;
  }
}

/// OLMo 3 in 4.57.6 has one base, which 5.24.0 takes for the layers that see all tokens, with the
/// scaling; for the others it takes its class's own.
void unify_olmo3_rope(FieldMap& fields) {
  const Json* theta = find_value(fields, "rope_theta");
  if (text_of(fields, "model_type") != "olmo3" ||
      find_value(fields, "rope_parameters") != nullptr || theta == nullptr)
    return;
  Json whole = {{"rope_theta", *theta}, {"rope_type", "default"}};
  const Json* scaling = find_value(fields, "rope_scaling");
  if (is_plain_object(scaling)) whole.update(*scaling);
  Json rope = {{"full_attention", std::move(whole)},
               {"sliding_attention", {{"rope_theta", 500000.0}, {"rope_type", "default"}}}};
  fields.insert_or_assign("rope_parameters", FieldValue{std::move(rope), false});
  for (const char* name : {"rope_theta", "rope_scaling"}) fields.erase(name);
}

/// ModernBERT in 4.57.6 counts which layers see all tokens, and 5.24.0 lists the kind of each.
void list_layer_types(FieldMap& fields) {
  constexpr std::int64_t kMostLayers = 10'000;
  const Json* every = find_value(fields, "global_attn_every_n_layers");
  const Json* layers = find_value(fields, "num_hidden_layers");
  if (every == nullptr || layers == nullptr || !every->is_number_integer() ||
      !layers->is_number_integer())
    return;
  const auto step = every->get<std::int64_t>();
  const auto count = layers->get<std::int64_t>();
  if (step < 1 || count < 0 || count > kMostLayers) return;
  Json kinds = Json::array();
  for (std::int64_t i = 0; i < count; ++i)
    kinds.push_back(i % step == 0 ? "full_attention" : "sliding_attention");
  fields.try_emplace("layer_types", FieldValue{std::move(kinds), false});
  fields.erase("global_attn_every_n_layers");
}

/// 4.57.6 has no word for the attention among the tokens in front, which is PaliGemma's in both.
void state_prefix_attention(FieldMap& fields) {
  const auto text = fields.find("text_config");
  if (text == fields.end() || !text->second.value.is_object()) return;
  Json& field = text->second.value["use_bidirectional_attention"];
  if (field.is_null()) field = true;
}

/// 5.24.0 writes infinities as {"__float__": "Infinity"}.
void unify_infinities(Json* value, int depth) {
  constexpr int kDeepest = 8;
  if (!value->is_structured() || depth > kDeepest) return;
  if (value->is_object() && value->size() == 1 && value->contains("__float__")) {
    Json text = (*value)["__float__"];
    *value = std::move(text);
    return;
  }
  for (Json& inner : *value) unify_infinities(&inner, depth + 1);
}

bool equals_any(const FieldMap& fields, const Json& value,
                std::initializer_list<const char*> names) {
  return std::ranges::any_of(names, [&](const char* name) {
    const Json* other = find_value(fields, name);
    return other != nullptr && *other == value;
  });
}

std::optional<double> width_of_heads(const FieldMap& fields) {
  const Json* width = find_value(fields, "hidden_size");
  const Json* heads = find_value(fields, "num_attention_heads");
  if (width == nullptr || heads == nullptr || !width->is_number() || !heads->is_number() ||
      heads->get<double>() <= 0)
    return std::nullopt;
  return width->get<double>() / heads->get<double>();
}

bool is_width_of_heads(const FieldMap& fields, const Json& value) {
  return value.is_number() && value.get<double>() == width_of_heads(fields);
}

bool are_all_full(const FieldMap& fields, const Json& layers) {
  const Json* window = find_value(fields, "use_sliding_window");
  return layers.is_array() && (window == nullptr || *window != true) &&
         std::ranges::all_of(layers, [](const Json& layer) { return layer == "full_attention"; });
}

/// Whether the field says nothing that the others of its side, or its class's default, do not say.
bool says_nothing(const FieldMap& fields, std::string_view name, const Json& value) {
  const std::string type = text_of(fields, "model_type");
  if (name == "num_hidden_layers")
    return equals_any(fields, value, {"encoder_layers", "decoder_layers", "num_layers"});
  if (name == "num_layers" && is_plain_array(find_value(fields, "depths")))
    return value == find_value(fields, "depths")->size();
  if (name == "swiglu_alpha") return type == "gpt_oss" && value == 1.702;
  if (name == "swiglu_limit") return type == "gpt_oss" && value == 7.0;
  if (name == "time_step_limit")
    return value.is_array() && value.size() == 2 && value[0] == 0.0 && value[1] == "Infinity";
  if (name == "rope_parameters")
    return is_plain_object(&value) && value.value("rope_type", Json()) == "axial" &&
           value.value("rope_theta", Json()) == 10000.0 &&
           value.value("partial_rotary_factor", Json(1.0)) == 1.0;
  if (name == "head_dim" || (name == "scale" && type == "sam_vision_model"))
    return is_width_of_heads(fields, value);
  if (name == "layer_types") return are_all_full(fields, value);
  if (name == "use_timm_backbone" || name == "use_pretrained_backbone")
    return value == false && is_plain_object(find_value(fields, "backbone_config"));
  if (name == "_remove_final_layer_norm") return value == false;
  if (name == "sliding_window") return equals_any(fields, false, {"use_sliding_window"});
  if (name == "vocab_size") return is_plain_object(find_value(fields, "text_config"));
  return name == "vision_use_head" && value == true;
}

/// Types whose classes in 5.24.0 do not read tie_word_embeddings for what is tied: there the values
/// in the files decide. Of the first four it says whether logits are scaled, where
/// scale_decoder_outputs does not.
constexpr std::string_view kScaleDecoder = "t5 umt5 longt5 pop2piano";
constexpr std::string_view kTiedByValues = "mt5 udop";

void state_decoder_scale(FieldMap& fields) {
  if (!lists_word(kScaleDecoder, text_of(fields, "model_type"))) return;
  const Json* tied = find_value(fields, "tie_word_embeddings");
  assume(fields, "scale_decoder_outputs", tied == nullptr || *tied != false);
}

/// Where neither side states it, tie_word_embeddings says it.
void drop_assumed_scale(FieldMap& a, FieldMap& b) {
  constexpr std::string_view kScale = "scale_decoder_outputs";
  const auto left = a.find(kScale);
  const auto right = b.find(kScale);
  if (left == a.end() || right == b.end() || !left->second.assumed || !right->second.assumed)
    return;
  a.erase(left);
  b.erase(right);
}

void drop_derived_of(FieldMap& owner, const FieldMap& other) {
  std::erase_if(owner, [&](const auto& field) {
    return !field.second.assumed && other.find(field.first) == other.end() &&
           says_nothing(owner, field.first, field.second.value);
  });
}

/// The classes of a text model with an output layer, which may be tied.
bool may_tie(std::string_view classes) {
  constexpr auto kParts = std::to_array<std::string_view>(
      {"LM", "Generation", "PreTraining", "Seq2Seq", "EncoderDecoder", "Speech", "?"});
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return classes.find(part) != std::string_view::npos; });
}

}  // namespace

void unify_spellings(FieldMap& fields) {
  if (text_of(fields, "model_type").empty()) fields.erase("model_type");
  if (text_of(fields, "model_type") == "videomae") rename_field(fields, "qv_bias", "qkv_bias");
  if (text_of(fields, "model_type") == "blip_text_model") assume(fields, "is_decoder", true);
  if (text_of(fields, "model_type") == "paligemma") state_prefix_attention(fields);
  for (auto& [name, field] : fields) unify_infinities(&field.value, 0);
  state_decoder_scale(fields);
  list_layer_types(fields);
  unify_rope_by_layer(fields);
  unify_olmo3_rope(fields);
  unify_rope(fields);
}

const char* unread_tie(const FieldMap& a, const FieldMap& b, const std::string& classes) {
  constexpr const char* kField = "tie_word_embeddings";
  if (!may_tie(classes)) return "neither class has an output layer that could be tied";
  const auto left = a.find(kField);
  const auto right = b.find(kField);
  if (left == a.end() || right == b.end())
    return "where it is not said the class decides, and the tensors were compared";
  if (left->second.value != true && right->second.value != true)
    return "transformers 4 takes null for false, and 5 refuses it";
  const auto says_part = [&](const FieldMap& fields) -> const Json* {
    const Json* part = find_value(fields, "text_config");
    return is_plain_object(part) && part->contains(kField) ? &(*part)[kField] : nullptr;
  };
  const Json* of_a = says_part(a);
  const Json* of_b = says_part(b);
  if (of_a == nullptr || of_b == nullptr || *of_a != *of_b) return nullptr;
  return "transformers 4 reads that of text_config, which is the same";
}

bool is_tie_of_4_alone(const FieldMap& a, const FieldMap& b) {
  const std::string type = text_of(a, "model_type");
  if (type != text_of(b, "model_type")) return false;
  if (lists_word(kTiedByValues, type)) return true;
  const Json* left = find_value(a, "scale_decoder_outputs");
  const Json* right = find_value(b, "scale_decoder_outputs");
  return lists_word(kScaleDecoder, type) && left != nullptr && right != nullptr && *left == *right;
}

void drop_derived(FieldMap& a, FieldMap& b) {
  drop_assumed_scale(a, b);
  drop_derived_of(a, b);
  drop_derived_of(b, a);
}

}  // namespace samebits
