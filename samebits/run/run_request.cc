#include "samebits/run/run_request.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/base/mapped_file.h"
#include "samebits/checkpoint/open.h"
#include "samebits/family/field_options.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/input_file.h"
#include "samebits/run/module_checks.h"

namespace samebits {
namespace {

/// The model as the config describes it; the mask ratio that was asked for stands in its place.
Result<VitModel> open_model(const RunRequest& request, const Checkpoint& checkpoint,
                            const Json& config) {
  Json used = config;
  if (request.mask_ratio && used.is_null()) used = Json::object();
  if (request.mask_ratio && used.is_object()) used["mask_ratio"] = *request.mask_ratio;
  Result<VitModel> model = open_vit(checkpoint, used, request.threads);
  if (model || !model.error().file.empty()) return model;
  Error error = std::move(model).error();
  error.file =
      request.config_path.empty() ? checkpoint.file_beside("config.json") : request.config_path;
  return fail(std::move(error));
}

Result<void> check_training(const RunRequest& request, const VitConfig& config) {
  if (!request.dropout_seed || config.no_training == nullptr) return {};
  return fail(
      {.code = ErrorCode::unsupported,
       .what = std::string("training mode is not covered for this model: ") + config.no_training,
       .file = request.model});
}

Result<double> mask_ratio_of(const RunRequest& request, const VitConfig& config) {
  const double ratio = request.mask_ratio.value_or(config.mask_ratio);
  if (ratio >= 0 && ratio <= 1) return ratio;
  return fail({.code = ErrorCode::malformed,
               .what = "the mask ratio is not usable",
               .expected = "0 to 1",
               .found = fmt::format("{}", ratio)});
}

Result<void> prepare_noise(const RunRequest& request, PreparedRun& run) {
  const VitConfig& config = run.model.config();
  if (!config.masked) return {};
  SAMEBITS_TRY(run.mask_ratio, mask_ratio_of(request, config));
  const std::size_t patches = patch_grid(config, run.input.height, run.input.width).cells();
  const std::vector<std::size_t> wanted = {run.input.batch, patches};
  if (request.noise_path.empty() && !request.noise) {
    run.noise.resize(wanted[0] * wanted[1]);
    CpuGenerator generator(request.noise_seed);
    uniform(generator, 0, 1, run.noise);
    run.assumed.push_back(
        fmt::format("noise: torch.rand({}), seed {}", fmt::join(wanted, ", "), request.noise_seed));
    return {};
  }
  SAMEBITS_TRY(InputTensor noise, request.noise ? Result<InputTensor>(*request.noise)
                                                : read_input_tensor(request.noise_path, "noise"));
  if (noise.sizes != wanted) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = "the noise has another shape than the model takes",
                 .file = request.noise_path,
                 .expected = sizes_text(wanted),
                 .found = sizes_text(noise.sizes)});
  }
  run.noise = std::move(noise.values);
  const auto bad = std::find_if(run.noise.begin(), run.noise.end(),
                                [](float value) { return !std::isfinite(value); });
  if (bad == run.noise.end()) return {};
  return fail({.code = ErrorCode::malformed,
               .what = "the noise is not finite",
               .file = request.noise_path,
               .found = fmt::format("{} at element {}", *bad, bad - run.noise.begin())});
}

Result<void> check_only(const RunRequest& request, const VitModel& model) {
  const std::vector<std::string> given = model.output_names();
  for (const std::string& name : request.only) {
    if (std::ranges::find(given, name) != given.end()) continue;
    return fail({.code = ErrorCode::usage,
                 .what = "the model has no output of this name",
                 .file = request.model,
                 .expected = fmt::format("{}", fmt::join(given, ", ")),
                 .found = name});
  }
  return {};
}

/// A field that was given and that this model's pass does not read says something that is not so.
Result<void> check_fields_are_read(const RunRequest& request, const VitConfig& config) {
  const auto refuse = [&](const char* field, const char* why) -> Result<void> {
    const FieldOption* option = option_of_field(field);
    return fail({.code = ErrorCode::usage,
                 .what = fmt::format("{} is given, and {}", option->option, why),
                 .file = request.model,
                 .hint = fmt::format("Leave {} out", option->option)});
  };
  const auto given = [&](const char* field) {
    return request.fields.is_object() && request.fields.contains(field);
  };
  if (given("hidden_act") && config.encoder.gated &&
      canonical_activation(request.fields["hidden_act"]) != "silu")
    return refuse("hidden_act", "a gated perceptron is computed with silu alone");
  if (given("decoder_num_attention_heads") && config.decoder.layers == 0)
    return refuse("decoder_num_attention_heads", "the model has no decoder");
  if ((given("mask_ratio") || request.mask_ratio) && !config.masked)
    return refuse("mask_ratio", "the model masks no patches");
  return {};
}

std::vector<std::string> labels_of(const Json& config) {
  std::vector<std::string> labels;
  if (!config.is_object() || !config.contains("id2label") || !config["id2label"].is_object())
    return labels;
  const Json& names = config["id2label"];
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto at = names.find(std::to_string(i));
    if (at == names.end() || !at->is_string()) return {};
    labels.push_back(at->get<std::string>());
  }
  return labels;
}

Result<Json> stored_config(const Checkpoint& checkpoint, const std::string& config_path) {
  const bool own = config_path.empty();
  if (own && checkpoint.config.is_null() && !checkpoint.config_faults.empty())
    return fail(checkpoint.config_faults[0]);
  if (own) return checkpoint.config;
  SAMEBITS_TRY(const auto file, MappedFile::open(config_path));
  return parse_json(file->bytes(), config_path);
}

}  // namespace

Result<Json> config_of(const Checkpoint& checkpoint, const std::string& config_path,
                       const Json& fields) {
  SAMEBITS_TRY(Json config, stored_config(checkpoint, config_path));
  if (!fields.is_object() || fields.empty()) return config;
  if (config.is_null()) config = Json::object();
  if (config.is_object()) config.update(fields);
  return config;
}

Result<VitOutputs> PreparedRun::forward(const Engine& engine, const TracePoint& trace) {
  const auto wants = [this](const std::string& name) {
    return only.empty() || std::ranges::find(only, name) != only.end();
  };
  return caught("", [&]() -> Result<VitOutputs> {
    std::optional<CpuGenerator> generator;
    if (dropout_seed) generator.emplace(*dropout_seed);
    VitOutputs outputs = model.forward(engine,
                                       {.images = input.view(),
                                        .noise = noise,
                                        .mask_ratio = mask_ratio,
                                        .training = generator ? &*generator : nullptr,
                                        .hidden_state = wants("last_hidden_state")},
                                       trace);
    std::erase_if(outputs.arrays, [&](const NamedArray& array) { return !wants(array.name); });
    return outputs;
  });
}

namespace {

Result<PreparedRun> prepare_now(const RunRequest& request) {
  SAMEBITS_TRY(const Checkpoint checkpoint, open_checkpoint(request.model, {.key = request.key}));
  if (!checkpoint.unread.empty()) return fail(checkpoint.unread[0]);
  SAMEBITS_TRY(const Json config, config_of(checkpoint, request.config_path, request.fields));
  SAMEBITS_TRY(VitModel model, open_model(request, checkpoint, config));
  SAMEBITS_TRY_VOID(check_training(request, model.config()));
  SAMEBITS_TRY_VOID(check_only(request, model));
  SAMEBITS_TRY_VOID(check_fields_are_read(request, model.config()));
  SAMEBITS_TRY(PreparedInput input, prepare_input(request.input, model, checkpoint));
  PreparedRun run{.model = std::move(model),
                  .config = config,
                  .labels = labels_of(config),
                  .input = std::move(input),
                  .dropout_seed = request.dropout_seed,
                  .only = request.only};
  if (!request.config_path.empty()) run.assumed.push_back("config: from " + request.config_path);
  if (states_config(checkpoint) && request.config_path.empty())
    run.assumed.emplace_back("config: what the modules state");
  if (const std::string own = foreign_class(checkpoint); !own.empty())
    run.assumed.push_back(foreign_class_text(own));
  if (std::string text = taken_as_built(checkpoint, config); !text.empty())
    run.assumed.push_back(std::move(text));
  if (request.fields.is_object()) {
    for (const auto& [field, value] : request.fields.items())
      run.assumed.push_back(fmt::format("config: {} {}, as given", field, short_json(value)));
  }
  run.assumed.insert(run.assumed.end(), run.input.assumed.begin(), run.input.assumed.end());
  SAMEBITS_TRY_VOID(prepare_noise(request, run));
  return run;
}

}  // namespace

Result<PreparedRun> prepare_run(const RunRequest& request) {
  const FloatMode contract;
  return caught(request.model, [&] { return prepare_now(request); });
}

}  // namespace samebits
