#include "samebits/convert/tensor_plan.h"
#include "samebits/checkpoint/companions.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/directory_load.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/verify.h"

namespace samebits {
namespace {

Error cannot(const Checkpoint& checkpoint, ErrorCode code, std::string what, std::string hint) {
  return {.code = code, .what = std::move(what), .file = checkpoint.path, .hint = std::move(hint)};
}

const StoredTensor& weight_of(const Checkpoint& checkpoint, std::size_t index) {
  return checkpoint.entries[checkpoint.weights().weights[index]];
}

Result<void> check_stored(const Checkpoint& checkpoint) {
  std::vector<std::string> absent, special;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (!tensor.readable) absent.push_back(tensor.name);
    if (!tensor.identity.empty() || info(tensor.view.dtype()).family == DTypeFamily::quantized)
      special.push_back(tensor.name);
  }
  if (!absent.empty())
    return fail(cannot(checkpoint, ErrorCode::inconsistent,
                       "the values of " + some_of(absent) + " are not in it",
                       "Give the complete checkpoint"));
  if (!special.empty())
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       some_of(special) + ": quantized, sparse or of a tensor subclass, which is "
                                          "not written as it is",
                       "Dequantize it with the library that made it, then convert"));
  return {};
}

Result<void> check_beside(const Checkpoint& checkpoint) {
  if (lists_modules_behind(checkpoint))
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       "it lists modules behind the model (modules.json), which would be lost",
                       "Convert a copy without modules.json: that is the model alone"));
  std::vector<std::string> values;
  for (const StoredValue& value : checkpoint.values)
    if (value.loaded) values.push_back(value.path);
  if (!values.empty())
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       some_of(values) + ": loading hands it to the model, and it is no tensor",
                       "Remove it with the library that wrote it, if the model works without it"));
  if (checkpoint.adapter.is_object() || checkpoint.weights().key.starts_with("adapter_"))
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       "it holds an adapter, which is not merged into its base model",
                       "Merge it: samebits convert BASE OUT --adapter THIS_DIRECTORY"));
  if (!checkpoint.companions.empty())
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       "it holds further models or objects beside the first one: " +
                           checkpoint.entries[checkpoint.companions[0]].path,
                       "Name the file of the model that is meant"));
  if (const std::string method = quantization_method(checkpoint); !method.empty())
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       "config.json says that the weights are quantized: " + method,
                       "Dequantize it with that library, then convert"));
  return {};
}

Result<PlannedTensor> planned(const Checkpoint& checkpoint, const model::TensorSpec& target,
                              const model::Source& source) {
  PlannedTensor tensor{.name = target.name, .pieces = {}, .from = ""};
  for (const model::Piece& piece : source) {
    const StoredTensor& stored = weight_of(checkpoint, piece.tensor);
    if (tensor.from.empty()) tensor.from = stored.name;
    SAMEBITS_TRY(TensorView view, piece_view(stored.view, piece.part, piece.parts));
    if (!tensor.pieces.empty() && tensor.pieces[0].dtype() != view.dtype())
      return fail(cannot(checkpoint, ErrorCode::inconsistent,
                         fmt::format("{} would be stacked of two types", target.name),
                         "Convert it to one type first, with --dtype"));
    tensor.pieces.push_back(std::move(view));
  }
  return tensor;
}

/// A class that its library builds with a head unless told not to, for a checkpoint without one.
bool is_left_out_head(const model::LoadTarget& target, const model::TensorSpec& spec) {
  return !model::is_transformers(target.library) && spec.role.starts_with("classifier");
}

Error no_place(const Checkpoint& checkpoint, const std::string& target,
               const std::vector<std::string>& names, bool in_target) {
  return cannot(
      checkpoint, ErrorCode::inconsistent,
      in_target
          ? fmt::format("{} needs {} that {} in it: {}", target, counted(names.size(), "tensor"),
                        names.size() == 1 ? "is not" : "are not", some_of(names))
          : fmt::format("{} in {}: {}",
                        counted(names.size(), "tensor", "has no place", "have no place"), target,
                        some_of(names)),
      "Name another class (LIBRARY:ClassName), or keep names with --to safetensors");
}

Result<void> check_every_tensor_is_used(const Checkpoint& checkpoint, const std::string& target,
                                        const std::vector<model::Source>& sources) {
  std::map<std::size_t, std::set<std::pair<std::int64_t, std::int64_t>>> used;  // part, of parts
  for (const model::Source& source : sources)
    for (const model::Piece& piece : source) used[piece.tensor].emplace(piece.part, piece.parts);
  std::vector<std::string> unused;
  for (std::size_t i = 0; i < checkpoint.weights().weights.size(); ++i) {
    const auto& parts = used[i];
    const bool whole =
        parts.contains({0, 1}) ||
        (!parts.empty() && static_cast<std::int64_t>(parts.size()) == parts.begin()->second);
    if (!whole) unused.push_back(weight_of(checkpoint, i).name);
  }
  if (unused.empty()) return {};
  return fail(no_place(checkpoint, target, unused, false));
}

/// With what to say to convert where no class can be told.
Result<model::LoadTarget> target_of(const Checkpoint& checkpoint, const model::TargetName& name,
                                    const Json& config,
                                    const std::vector<model::StoredShape>& shapes) {
  auto target = model::make_target(name, config.is_object() ? &config : nullptr, shapes);
  if (target) return target;
  Error error = std::move(target).error();
  if (error.file.empty()) error.file = checkpoint.path;
  constexpr std::string_view kOfCheck = "Name it: --for ";
  if (!error.hint.starts_with(kOfCheck)) return fail(std::move(error));
  const bool directory = model::is_transformers(name.library);
  error.hint =
      fmt::format("Name it: --to {}:ClassName; or keep the names: --to safetensors, torch or npz",
                  directory ? "hf" : library_name(name.library));
  return fail(std::move(error));
}

}  // namespace

Result<TensorView> piece_view(const TensorView& view, std::int64_t part, std::int64_t parts) {
  if (parts == 1) return view;
  Shape shape = view.shape();
  shape[0] /= parts;
  const auto rows = static_cast<std::uint64_t>(shape[0] * part);
  const std::uint64_t first = view.byte_offset() / itemsize(view.dtype());
  return view.over(shape, view.strides(),
                   first + rows * static_cast<std::uint64_t>(view.strides()[0]));
}

Shape PlannedTensor::shape() const {
  Shape shape = pieces.at(0).shape();
  for (std::size_t i = 1; i < pieces.size(); ++i) shape[0] += pieces[i].shape()[0];
  return shape;
}

std::uint64_t TensorPlan::renamed() const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(tensors, [](const PlannedTensor& t) { return t.name != t.from; }));
}

Result<void> check_plain(const Checkpoint& checkpoint) {
  SAMEBITS_TRY_VOID(check_read(checkpoint));
  SAMEBITS_TRY_VOID(check_beside(checkpoint));
  return check_stored(checkpoint);
}

Result<TensorPlan> plan_as_named(const Checkpoint& checkpoint, const std::string& prefix) {
  TensorPlan plan;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (tensor.name.empty())
      return fail(cannot(checkpoint, ErrorCode::unsupported,
                         "it is one tensor without a name, which all formats need",
                         "Save it under a name: torch.save({\"weight\": tensor}, ...)"));
    if (!tensor.name.starts_with(prefix) || tensor.name.size() == prefix.size())
      return fail(cannot(checkpoint, ErrorCode::usage,
                         fmt::format("{} does not begin with {}", tensor.name, prefix),
                         "Give a prefix that all names have"));
    plan.tensors.push_back({tensor.name.substr(prefix.size()), {tensor.view}, tensor.name});
  }
  return plan;
}

Result<TensorPlan> plan_for_class(const Checkpoint& checkpoint, const model::TargetName& name,
                                  const Json& config) {
  const StoredWeights weights = stored_weights(checkpoint);
  SAMEBITS_TRY(const model::LoadTarget target, target_of(checkpoint, name, config, weights.shapes));
  TensorPlan plan;
  plan.target =
      fmt::format("{}:{}", library_name(target.library), std::string(target.model_class->name));
  if (!target.recognition)
    return fail(cannot(checkpoint, ErrorCode::unsupported,
                       "its names are those of no model of the ViT family",
                       "Keep them: --to safetensors, torch or npz"));
  const auto sources = sources_of(target.tensors, *target.recognition, weights.shapes);
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].empty()) {
      SAMEBITS_TRY(PlannedTensor tensor, planned(checkpoint, target.tensors[i], sources[i]));
      plan.tensors.push_back(std::move(tensor));
    } else if (!is_left_out_head(target, target.tensors[i])) {
      missing.push_back(target.tensors[i].name);
    } else if (plan.assumed.empty()) {
      plan.assumed.push_back(plan.target +
                             " without a head (num_classes=0): the checkpoint has none");
    }
  }
  if (!missing.empty()) return fail(no_place(checkpoint, plan.target, missing, true));
  SAMEBITS_TRY_VOID(check_every_tensor_is_used(checkpoint, plan.target, sources));
  return plan;
}

}  // namespace samebits
