// The part of predict_load.h that finds out what would be loaded into.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/model/fields_from_config.h"
#include "samebits/model/name_search.h"
#include "samebits/model/predict_load.h"

namespace samebits::model {
namespace {

std::string class_names(Library library) {
  std::string names;
  for (const ModelClass& model_class : classes())
    if (has_class(library, model_class))
      names += (names.empty() ? "" : ", ") + std::string(model_class.name);
  return names;
}

Error no_such_class(Library library, const std::string& name) {
  return {.code = ErrorCode::usage,
          .what = std::string(library_name(library)) + " has no built-in class " + name,
          .expected = class_names(library)};
}

std::vector<std::string> architectures_of(const Json* config) {
  std::vector<std::string> names;
  if (!config || !config->is_object()) return names;
  const auto found = config->find("architectures");
  if (found == config->end() || !found->is_array()) return names;
  for (const Json& name : *found)
    if (name.is_string()) names.push_back(name.get<std::string>());
  return names;
}

std::string model_type_of(const Json* config) {
  if (!config || !config->is_object()) return {};
  const auto found = config->find("model_type");
  return found != config->end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A config.json as timm.models.save_for_hf writes it: not one of transformers.
bool is_timm_config(const Json* config) {
  return config && config->is_object() && config->contains("architecture") &&
         !config->contains("model_type");
}

/// A size of timm's config or of its model_args: an int, or the first or second of a list.
std::int64_t timm_size(const Json& config, const char* key, std::size_t of = 0) {
  const auto arguments = config.find("model_args");
  const bool in_arguments =
      arguments != config.end() && arguments->is_object() && arguments->contains(key);
  const Json& holder = in_arguments ? *arguments : config;
  const auto found = holder.find(key);
  if (found == holder.end()) return -1;
  const Json& value = found->is_array() && found->size() > of ? (*found)[of] : *found;
  constexpr std::int64_t kLargest = std::int64_t{1} << 31;
  if (!value.is_number_integer()) return -1;
  const auto size = value.get<std::int64_t>();
  return size >= 0 && size <= kLargest ? size : -1;
}

/// The tensors say what an architecture's name would; what the config states goes before them.
Fields fields_from_timm(const Json& config, Fields fields) {
  const auto set = [&](std::int64_t& field, const char* key, std::size_t of = 0) {
    if (const std::int64_t size = timm_size(config, key, of); size > 0) field = size;
  };
  set(fields['D'], "embed_dim");
  set(fields['P'], "patch_size");
  set(fields['W'], "patch_size", 1);
  set(fields['I'], "in_chans");
  set(fields['C'], "num_classes");
  set(fields.layers, "depth");
  const std::int64_t height = timm_size(config, "img_size"),
                     width = timm_size(config, "img_size", 1);
  const bool plain = (fields.parts & kClassToken) && !(fields.parts & kRegisters);
  if (plain && height > 0 && width > 0 && fields['P'] > 0 && fields['W'] > 0)
    fields.patches = (height / fields['P']) * (width / fields['W']);
  const std::int64_t classes = timm_size(config, "num_classes");
  if (classes > 0) fields.parts |= kClassifier;
  if (classes == 0) fields.parts &= ~kClassifier;
  return fields;
}

/// Whether the patches of a square image can be so many.
bool is_square(std::int64_t count) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;  // below it the root is exact
  if (count <= 0 || count > kMost) return false;
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(count)));
  return side * side == count;
}

/// How many patches the table of positions is for: its rows less the tokens in front of the
/// patches. timm's table may leave these out (no_embed_class), or count registers. Where nothing
/// leads to a square, what the class that was recognized says.
std::int64_t patches_of(const Recognition& recognition) {
  const std::int64_t rows = recognition.fields['X'];
  const std::int64_t own = recognition.model_class->prefixed;
  const std::int64_t registers = recognition.fields.parts & kRegisters
                                     ? std::max<std::int64_t>(recognition.fields['R'], 0)
                                     : 0;
  if (rows < 0) return -1;
  if (recognition.library == Library::timm && !is_square(rows - own))
    for (const std::int64_t tokens : {own + registers, std::int64_t{0}})
      if (is_square(rows - tokens)) return rows - tokens;
  return rows - own;
}

/// Classes outside transformers are built with a head unless they are told not to.
bool has_head_of_its_own(const ModelClass& model_class) {
  return model_class.model_type.empty() && (model_class.optional & kClassifier);
}

Result<Fields> fields_for(const Json* config, const std::optional<Recognition>& recognition,
                          const ModelClass& model_class, Library library) {
  if (!config && !recognition)
    return fail(
        {.code = ErrorCode::usage,
         .what = "there is no config, and the tensors are those of no model of the ViT family",
         .hint = "Give a directory with config.json, or a target file"});
  Fields fields;
  if (is_timm_config(config) && recognition) {
    fields = recognition->fields;
    if (library == Library::timm) return fit(fields_from_timm(*config, fields), model_class);
    fields.parts |= model_class.assumed;
  } else if (config) {
    SAMEBITS_TRY(fields, fields_from_config(*config, model_class, library));
  } else {
    fields = recognition->fields;
    fields.parts |= model_class.assumed;
  }
  // Outside transformers no config says which parts a constructor was asked for: those in the file.
  if (model_class.model_type.empty() && recognition) fields.parts = recognition->fields.parts;
  if (has_head_of_its_own(model_class)) fields.parts |= kClassifier;
  // The table of another class has other tokens in front.
  const bool is_own =
      recognition && recognition->library == library && recognition->model_class == &model_class;
  if (!config && !is_own) fields.patches = patches_of(*recognition);
  return fit(fields, model_class);
}

/// Tensors of the class that the checkpoint has something for, less those that it has not.
std::int64_t fitness(const std::vector<TensorSpec>& specs, const Recognition& recognition,
                     const std::vector<StoredShape>& tensors) {
  std::int64_t score = 0;
  for (const Source& source : sources_of(specs, recognition, tensors))
    score += source.empty() ? -1 : 2;
  return score;
}

/// "blocks.3." in a name.
bool stands_in_block(std::string_view name) {
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const std::size_t end = name.find_first_not_of("0123456789", dot + 1);
    if (end != name.npos && end > dot + 1 && name[end] == '.') return true;
  }
  return false;
}

/// Tensors of blocks that no class of the family has: a scale of BEiT's. The model is none of it
/// then, whatever else agrees.
bool has_foreign_blocks(const Recognition& recognition, const std::vector<StoredShape>& tensors) {
  std::vector<bool> placed(tensors.size());
  for (const Piece& piece : recognition.pieces) placed[piece.tensor] = true;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    if (!placed[i] && stands_in_block(name) && name.find("lora_") == std::string::npos) return true;
  }
  return false;
}

std::string named_class(const Json* config) {
  if (config == nullptr || !config->is_object() || !config->contains("architectures")) return "";
  const Json& names = (*config)["architectures"];
  return names.is_array() && !names.empty() && names[0].is_string() ? names[0].get<std::string>()
                                                                    : "";
}

Result<const ModelClass*> best_class(Library library, const Json* config,
                                     const std::optional<Recognition>& recognition,
                                     const std::vector<StoredShape>& tensors) {
  Error error{
      .code = ErrorCode::usage,
      .what = "nothing says which class of " + std::string(library_name(library)) + " to load into",
      .expected = class_names(library),
      .hint = "Name it: --for " + std::string(library_name(library)) + ":ClassName"};
  if (const std::string named = named_class(config);
      !named.empty() && find_class(library, named) == nullptr)
    error = {.code = ErrorCode::usage,
             .what = fmt::format("the config names {}, which is no class of {} that samebits knows",
                                 named, library_name(library)),
             .hint =
                 "Give another checkpoint of that model, or a list of its names and shapes: "
                 "--for PATH"};
  if (!recognition) return fail(error);
  const ModelClass* best = nullptr;
  std::int64_t best_score = 0;
  const std::string model_type = model_type_of(config);
  if (is_transformers(library) && model_type.empty() && has_foreign_blocks(*recognition, tensors))
    return fail(error);
  for (const ModelClass& model_class : classes()) {
    const bool other_type = !model_type.empty() && !model_class.model_type.empty() &&
                            model_class.model_type != model_type;
    if (!has_class(library, model_class) || other_type) continue;
    const auto fields = fields_for(config, recognition, model_class, library);
    if (!fields) return fail(fields.error());
    const auto specs = tensors_of(library, model_class, *fields);
    const std::int64_t score = specs ? fitness(*specs, *recognition, tensors) : 0;
    if (specs && (!best || score > best_score)) {
      best = &model_class;
      best_score = score;
    }
  }
  if (best) return best;
  return fail(error);
}

/// Also by the names that are left without those of wrappers, where these tell more.
std::optional<Recognition> recognize_wrapped(const std::vector<StoredShape>& tensors,
                                             std::string_view wanted) {
  std::optional<Recognition> found = recognize(tensors, wanted);
  std::vector<StoredShape> bare = tensors;
  bool is_wrapped = false;
  for (StoredShape& tensor : bare) {
    std::string name = unwrapped(tensor.name);
    is_wrapped = is_wrapped || name != tensor.name;
    tensor.name = std::move(name);
  }
  if (!is_wrapped) return found;
  std::optional<Recognition> other = recognize(bare, wanted);
  return other && (!found || other->tensors > found->tensors) ? other : found;
}

Result<const ModelClass*> choose_class(const TargetName& name, const Json* config,
                                       const std::optional<Recognition>& recognition,
                                       const std::vector<StoredShape>& tensors) {
  if (!name.class_name.empty()) {
    if (const ModelClass* found = find_class(name.library, name.class_name)) return found;
    return fail(no_such_class(name.library, name.class_name));
  }
  for (const std::string& architecture : architectures_of(config))
    if (const ModelClass* found = find_class(name.library, architecture)) return found;
  return best_class(name.library, config, recognition, tensors);
}

}  // namespace

Result<TargetName> parse_target(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view library = text.substr(0, colon);
  TargetName name;
  if (colon != std::string_view::npos) name.class_name = text.substr(colon + 1);
  for (const Library candidate : kLibraries) {
    if (library != library_name(candidate)) continue;
    name.library = candidate;
    if (name.class_name.empty() || find_class(candidate, name.class_name)) return name;
    return fail(no_such_class(candidate, name.class_name));
  }
  return fail({.code = ErrorCode::usage,
               .what = "there is no built-in target of that name",
               .expected = "transformers-4, transformers-5, timm, mae or torchvision",
               .found = std::string(library)});
}

Result<LoadTarget> make_target(const TargetName& name, const Json* config,
                               const std::vector<StoredShape>& tensors) {
  LoadTarget target{.library = name.library};
  target.recognition = recognize_wrapped(tensors, name.class_name);
  target.architectures = architectures_of(config);
  // An empty config says nothing of the class: it stands for the class's defaults.
  const Json* named = config && !config->empty() ? config : nullptr;
  SAMEBITS_TRY(target.model_class, choose_class(name, named, target.recognition, tensors));
  SAMEBITS_TRY(target.fields,
               fields_for(config, target.recognition, *target.model_class, name.library));
  SAMEBITS_TRY(target.tensors, tensors_of(target.library, *target.model_class, target.fields));
  const bool head_in_file = target.recognition && (target.recognition->fields.parts & kClassifier);
  const bool told = name.library == Library::timm && is_timm_config(config);
  if (has_head_of_its_own(*target.model_class) && !head_in_file && !told)
    target.assumed.push_back(std::string(library_name(name.library)) + ":" +
                             std::string(target.model_class->name) +
                             " is taken with a head, as it is built unless told num_classes=0; the "
                             "checkpoint has none");
  if (name.library == Library::timm && (target.fields.parts & kPoolNorm) && !told)
    target.assumed.push_back(
        "timm:" + std::string(target.model_class->name) +
        " is taken with global_pool='avg', as the checkpoint has fc_norm and no norm; built with "
        "the default 'token' it has norm instead");
  return target;
}

}  // namespace samebits::model
