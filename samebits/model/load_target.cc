// The part of predict_load.h that finds out what would be loaded into.
#include <cstdint>

#include "samebits/base/json.h"
#include "samebits/model/config_fields.h"
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

Result<Fields> fields_for(const Json* config, const std::optional<Recognition>& recognition,
                          const ModelClass& model_class, Library library) {
  if (!config && !recognition)
    return fail(
        {.code = ErrorCode::usage,
         .what = "there is no config, and the tensors are those of no model of the ViT family",
         .hint = "Give a directory with config.json, or a target file"});
  Fields fields;
  if (config) {
    SAMEBITS_TRY(fields, fields_from_config(*config, model_class, library));
  } else {
    fields = recognition->fields;
    fields.parts |= model_class.assumed;
  }
  // Outside transformers no config says which parts a constructor was asked for: those in the file.
  if (model_class.model_type.empty() && recognition) fields.parts = recognition->fields.parts;
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

Result<const ModelClass*> best_class(Library library, const Json* config,
                                     const std::optional<Recognition>& recognition,
                                     const std::vector<StoredShape>& tensors) {
  Error error{
      .code = ErrorCode::usage,
      .what = "nothing says which class of " + std::string(library_name(library)) + " to load into",
      .expected = class_names(library),
      .hint = "Name it: --for " + std::string(library_name(library)) + ":ClassName"};
  if (!recognition) return fail(error);
  const ModelClass* best = nullptr;
  std::int64_t best_score = 0;
  const std::string model_type = model_type_of(config);
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
  target.recognition = recognize(tensors, name.class_name);
  target.architectures = architectures_of(config);
  SAMEBITS_TRY(target.model_class, choose_class(name, config, target.recognition, tensors));
  SAMEBITS_TRY(target.fields,
               fields_for(config, target.recognition, *target.model_class, name.library));
  SAMEBITS_TRY(target.tensors, tensors_of(target.library, *target.model_class, target.fields));
  return target;
}

}  // namespace samebits::model
