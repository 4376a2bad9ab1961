#include "samebits/run/open_vit.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/run/module_config.h"

namespace samebits {
namespace {

/// "ViTMAEModel": of classes with the same tensors the one that is meant. The config of a model
/// that was taken out of another one, or loaded from its file, may still name that.
std::string wanted_class(const Checkpoint& checkpoint, const Json& config) {
  if (std::string own = family_class(checkpoint); !own.empty()) return own;
  if (!config.is_object()) return "";
  std::string named;
  if (config.contains("architectures") && config["architectures"].is_array() &&
      !config["architectures"].empty() && config["architectures"][0].is_string())
    named = config["architectures"][0].get<std::string>();
  const Json type = config.value("model_type", Json());
  const std::string_view encoder =
      model::encoder_class(named, type.is_string() ? type.get_ref<const std::string&>() : "");
  if (encoder.empty()) return named;
  const bool has_decoder =
      std::ranges::any_of(checkpoint.weights().weights, [&](std::uint32_t index) {
        return checkpoint.entries[index].name.find("decoder_pred") != std::string::npos;
      });
  return has_decoder ? named : std::string(encoder);
}

Error no_vit(const Checkpoint& checkpoint, const std::string& found) {
  return {.code = ErrorCode::unsupported,
          .what = "the weights are not those of a ViT that can be run",
          .file = checkpoint.path,
          .found = found};
}

/// The model type of a config that is of another model, or of one around a ViT: the ViT's weights
/// are then not all of it. Of modules the outermost known one is what is run.
std::string other_type(const Checkpoint& checkpoint, const Json& config) {
  if (!config.is_object() || !config.contains("model_type") || !config["model_type"].is_string())
    return "";
  const std::string type = config["model_type"].get<std::string>();
  return model::find_model_type(type) != nullptr || !checkpoint.modules.empty() ? "" : type;
}

/// Weights beside those of a model with a classifier, among its own names: what they do in front of
/// the classifier no name says. Of pickled modules that is looked at by itself.
std::vector<std::string> weights_without_place(const Checkpoint& checkpoint,
                                               const model::Recognition& found) {
  constexpr model::Parts kLogits = model::kClassifier | model::kTeacher;
  if ((found.fields.parts & kLogits) == 0 || !checkpoint.modules.empty()) return {};
  const std::vector<std::uint32_t>& weights = checkpoint.weights().weights;
  std::vector<bool> has_place(weights.size());
  for (const model::Piece& piece : found.pieces) has_place[piece.tensor] = true;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const StoredTensor& tensor = checkpoint.entries[weights[i]];
    if (!has_place[i] && is_floating(tensor.view.dtype()) && tensor.name.starts_with(found.prefix))
      names.push_back(tensor.name);
  }
  return names;
}

}  // namespace

Result<model::Recognition> recognize_vit(const Checkpoint& checkpoint, const Json& config) {
  if (!checkpoint.has_weights()) return fail(no_vit(checkpoint, "no weights"));
  if (const std::string type = other_type(checkpoint, config); !type.empty())
    return fail(no_vit(checkpoint, "model type " + type));
  std::vector<model::StoredShape> shapes;
  for (const std::uint32_t index : checkpoint.weights().weights)
    shapes.push_back({checkpoint.entries[index].name, checkpoint.entries[index].view.shape()});
  const auto found = model::recognize(shapes, wanted_class(checkpoint, config));
  // A few names that fit by chance are no model.
  const bool known = found && found->tensors * 2 > shapes.size();
  if (!known) return fail(no_vit(checkpoint, "names that no table knows"));
  if (found->absent > 0 || found->inconsistent > 0)
    return fail(no_vit(checkpoint, fmt::format("tensors missing: {}, of other shapes: {}",
                                               found->absent, found->inconsistent)));
  if (const auto names = weights_without_place(checkpoint, *found); !names.empty())
    return fail(no_vit(
        checkpoint,
        fmt::format("names that no table of {} knows: {}{}", found->model_class->name, names[0],
                    names.size() == 1 ? "" : fmt::format(" and {} more", names.size() - 1))));
  return *found;
}

std::string taken_as_built(const Checkpoint& checkpoint, const Json& config) {
  if (!checkpoint.modules.empty() || checkpoint.config.is_object()) return "";
  const Result<model::Recognition> found = recognize_vit(checkpoint, config);
  if (!found || found->library != model::Library::timm) return "";
  const bool classifies = (found->fields.parts & model::kClassifier) != 0;
  return std::string(
             "what names do not tell is taken as timm builds the class: norms before attention "
             "and perceptron") +
         (classifies ? ", the class token classified (global_pool='token')" : "");
}

Result<VitModel> open_vit(const Checkpoint& checkpoint, const Json& config, int threads) {
  const FloatMode contract;
  const ModuleConfig modules = run_config(checkpoint, config);
  SAMEBITS_TRY(const model::Recognition found, recognize_vit(checkpoint, modules.config));
  if (!modules.deviations.empty()) {
    const ModuleDeviation& first = modules.deviations[0];
    return fail({.code = ErrorCode::unsupported,
                 .what = "its modules compute something that no config says: " +
                         (first.module.empty() ? "" : first.module + ": ") + first.what,
                 .file = checkpoint.path});
  }
  SAMEBITS_TRY(const VitConfig vit, vit_config(found, modules.config));
  SAMEBITS_TRY(VitWeights weights, load_vit_weights(checkpoint, found, vit, threads));
  return VitModel(vit, std::move(weights));
}

}  // namespace samebits
