#include "samebits/model/tied_names.h"

#include <algorithm>
#include <array>
#include <span>

#include "samebits/family/class_defaults.h"

namespace samebits::model {
namespace {

/// `source` is the end of a path below whatever stands in front of `target`.
struct TiedPair {
  std::string_view target, source;
};
constexpr std::array kTiedPairs = std::to_array<TiedPair>({
    {"lm_head.weight", "embed_tokens.weight"},
    {"lm_head.weight", "wte.weight"},
    {"lm_head.weight", "shared.weight"},
    {"lm_head.weight", "word_embeddings.weight"},
    {"lm_head.weight", "tokens_embed.weight"},
    {"lm_head.weight", "tok_embeddings.weight"},
    {"lm_head.weight", "embed_in.weight"},
    {"lm_head.weight", "backbone.embeddings.weight"},
    {"lm_head.weight", "transformer.w.weight"},
    {"lm_head.decoder.weight", "word_embeddings.weight"},
    {"lm_head.decoder.bias", "lm_head.bias"},
    {"lm_head.out_proj.weight", "embed_tokens.weight"},
    {"lm_loss.weight", "word_embedding.weight"},
    {"cls.predictions.decoder.weight", "word_embeddings.weight"},
    {"cls.predictions.decoder.bias", "cls.predictions.bias"},
    {"predictions.decoder.weight", "word_embeddings.weight"},
    {"predictions.decoder.bias", "predictions.bias"},
    {"generator_lm_head.weight", "word_embeddings.weight"},
    {"vocab_projector.weight", "word_embeddings.weight"},
    {"mlm_score.decoder.weight", "word_embeddings.weight"},
    {"mlm_score.decoder.bias", "mlm_score.bias"},
    {"proj_out.weight", "decoder.embed_tokens.weight"},
    {"output_projection.weight", "embed_tokens.weight"},
    {"embed_out.weight", "embed_in.weight"},
    {"pred_layer.proj.weight", "embeddings.weight"},
    {"decoder.weight", "tok_embeddings.weight"},
    {"head.weight", "rwkv.embeddings.weight"},
    {"encoder.embed_tokens.weight", "shared.weight"},
    {"decoder.embed_tokens.weight", "shared.weight"},
    {"text_encoder.embed_tokens.weight", "shared.weight"},
    {"text_decoder.embed_tokens.weight", "shared.weight"},
    {"encoder.word_embeddings.weight", "word_embeddings.weight"},
    {"decoder.word_embeddings.weight", "word_embeddings.weight"},
});

/// What stands in front of `end`, with its dot; nothing where the name does not end so.
bool ends_as_path(std::string_view name, std::string_view end, std::string_view* front) {
  if (!name.ends_with(end)) return false;
  *front = name.substr(0, name.size() - end.size());
  return front->empty() || front->back() == '.';
}

/// Model types whose encoder, decoder and `shared` are one table in any case, in both versions.
constexpr std::array<std::string_view, 3> kOneTable = {"t5", "mt5", "umt5"};

bool has_type(const Json& config, std::span<const std::string_view> types) {
  const auto type = config.find("model_type");
  return type != config.end() && type->is_string() &&
         std::ranges::find(types, type->get<std::string>()) != types.end();
}

/// "true", "false", or "" where it is not known.
std::string_view default_tie(const Json& config) {
  const auto type = config.find("model_type");
  if (type == config.end() || !type->is_string()) return "";
  return class_default("tie_word_embeddings", type->get_ref<const std::string&>());
}

bool is_embedding_table(std::string_view name) {
  std::string_view front;
  return ends_as_path(name, "shared.weight", &front) ||
         ends_as_path(name, "encoder.embed_tokens.weight", &front) ||
         ends_as_path(name, "decoder.embed_tokens.weight", &front);
}

/// Modules that every layer of a class has, and all of them are one: the heads of deformable
/// detectors (DETR, RT-DETR, Grounding DINO, D-FINE), the shared block of Zamba.
constexpr auto kTiedLists =
    std::to_array<std::string_view>({"bbox_embed.", "class_embed.", "shared_transf"});

/// What stands behind the layer's number, which is left out; "" in no such list.
std::string place_in_tied_list(const std::string& name) {
  for (const std::string_view list : kTiedLists) {
    const std::size_t at = name.find(list);
    if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) continue;
    const std::size_t behind = name.find_first_not_of("0123456789", at + list.size());
    if (behind == std::string::npos) return "";
    return std::string(list) + name.substr(behind);
  }
  return "";
}

constexpr int kDeepestPart = 4;  // of configs in configs

/// Where whole models with a config and ties of their own stand in others: by the field of the
/// config, and the name of the module.
struct ModelPart {
  std::string_view field, module;
};
constexpr auto kModelParts = std::to_array<ModelPart>({
    {"encoder", "encoder"},
    {"decoder", "decoder"},
    {"text_encoder", "text_encoder"},
    {"text_config", "language_model"},
    {"text_config", "text_model"},
    {"text_config", "text_decoder"},
});

/// The names below a module of this name, without what leads there; nothing where one stands
/// elsewhere.
std::vector<std::string> names_below(std::string_view part, const std::vector<std::string>& names) {
  std::vector<std::string> below;
  for (const std::string& name : names) {
    const std::string_view rest =
        std::string_view(name).starts_with("model.") ? std::string_view(name).substr(6) : name;
    if (!rest.starts_with(part) || !rest.substr(part.size()).starts_with('.')) return {};
    below.emplace_back(rest.substr(part.size() + 1));
  }
  return below;
}

bool part_ties(const Json& config, const std::vector<std::string>& names, int depth) {
  if (depth > kDeepestPart || !config.is_object() || !are_tied_names(names)) return false;
  for (const ModelPart& part : kModelParts) {
    const auto inner = config.find(part.field);
    if (inner != config.end() && part_ties(*inner, names_below(part.module, names), depth + 1))
      return true;
  }
  return ties_word_embeddings(config) ||
         (has_type(config, kOneTable) && std::ranges::all_of(names, is_embedding_table));
}

}  // namespace

bool is_tied_to(std::string_view target, std::string_view source) {
  return std::any_of(kTiedPairs.begin(), kTiedPairs.end(), [&](const TiedPair& pair) {
    std::string_view front;
    std::string_view rest;
    return ends_as_path(target, pair.target, &front) && source.starts_with(front) &&
           ends_as_path(source.substr(front.size()), pair.source, &rest);
  });
}

bool config_ties(const Json& config, const std::vector<std::string>& names) {
  return part_ties(config, names, 0);
}

bool are_in_a_tied_list(const std::vector<std::string>& names) {
  if (names.size() < 2) return false;
  const std::string first = place_in_tied_list(names[0]);
  return !first.empty() && std::ranges::all_of(names, [&](const std::string& name) {
    return place_in_tied_list(name) == first;
  });
}

bool ties_word_embeddings(const Json& config) {
  if (!config.is_object()) return false;
  const auto says = [](const Json& part, bool answer) {
    const auto field = part.find("tie_word_embeddings");
    return field != part.end() && field->is_boolean() && field->get<bool>() == answer;
  };
  for (const char* part : {"text_config", "decoder"})
    if (config.contains(part) && config[part].is_object() && says(config[part], false))
      return false;
  if (config.contains("tie_word_embeddings")) return says(config, true);
  return default_tie(config) == "true";
}

bool keeps_heads_apart(const Json& config) {
  const auto field = config.find("tie_word_embeddings");
  if (field != config.end()) return *field == false;
  return !config.contains("auto_map") && default_tie(config) == "false";
}

bool are_tied_names(std::string_view one, std::string_view other) {
  return one != other && (is_tied_to(one, other) || is_tied_to(other, one));
}

bool are_tied_names(const std::vector<std::string>& names) {
  if (names.size() < 2) return false;
  std::vector<std::string> open(names.begin() + 1, names.end());
  std::vector<std::string> reached = {names[0]};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const auto tied = std::stable_partition(open.begin(), open.end(), [&](const std::string& name) {
      return !are_tied_names(reached[i], name);
    });
    const std::vector<std::string> found(tied, open.end());
    open.erase(tied, open.end());
    reached.insert(reached.end(), found.begin(), found.end());
  }
  return open.empty();
}

}  // namespace samebits::model
