#include "samebits/train/initial_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>

#include "samebits/base/mapped_file.h"
#include "samebits/checkpoint/memory.h"
#include "samebits/family/config_fields.h"
#include "samebits/family/field_ranges.h"
#include "samebits/family/initial_values.h"
#include "samebits/family/parameter_order.h"
#include "samebits/model/predict_load.h"
#include "samebits/rng/distributions.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";
constexpr std::string_view kBlockLayers[] = {
    "query", "key", "value", "attention_output", "mlp_in", "mlp_out", "gate", "up", "down"};

Result<Json> read_object(const std::string& path) {
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  return parse_json(file->bytes(), path);
}

/// The class that the config asks for, or the one that is trained of its type.
std::string class_of_config(const Json& config) {
  const Json named = config.value("architectures", Json());
  if (named.is_array() && !named.empty() && named[0].is_string())
    return named[0].get<std::string>();
  const Json type = config.value("model_type", Json());
  const model::ModelType* known =
      type.is_string() ? model::find_model_type(type.get<std::string>()) : nullptr;
  if (known == nullptr) return "";
  const bool masked = known->name == "vit_mae";
  return std::string(known->classes) + (masked ? "ForPreTraining" : "ForImageClassification");
}

/// The weights of a model while they are drawn.
class InitialWeights {
 public:
  InitialWeights(const std::vector<model::TensorSpec>& specs, double std, std::uint64_t seed)
      : std_(std), generator_(seed) {
    for (const model::TensorSpec& spec : specs) {
      std::size_t count = 1;
      for (const std::int64_t size : spec.shape) count *= static_cast<std::size_t>(size);
      values_[spec.role].assign(count, 0.0F);
    }
  }

  bool has(const std::string& role) const { return values_.contains(role); }
  std::vector<float>& at(const std::string& role) { return values_.at(role); }
  void fill(const std::string& role, float value) { std::ranges::fill(at(role), value); }

  /// What the layer's constructor draws: a uniform number for each element.
  void construct_layer(const std::string& role) {
    for (const char* part : {".weight", ".bias"}) {
      const auto found = values_.find(role + part);
      for (std::size_t i = 0; found != values_.end() && i < found->second.size(); ++i)
        generator_.random();
    }
  }
  void construct_random(const std::string& role) {
    normal(generator_, 0, 1, std::span<float>(at(role)));
  }
  void draw(const std::string& role) { normal(generator_, 0, std_, std::span<float>(at(role))); }
  void draw_truncated(const std::string& role) {
    trunc_normal(generator_, std_, kLow, kHigh, std::span<float>(at(role)));
  }
  void draw_layer(const std::string& role, bool twice) {
    draw(role + ".weight");
    if (twice) draw_truncated(role + ".weight");
  }

  // Of trunc_normal_, where nothing is said.
  static constexpr double kLow = -2, kHigh = 2;

 private:
  double std_;
  CpuGenerator generator_;
  std::map<std::string, std::vector<float>> values_;
};

/// The order in which a class's modules are made and filled.
class Initializer {
 public:
  Initializer(const model::InitialValues& rule, const model::Fields& fields,
              InitialWeights& weights)
      : rule_(rule), fields_(fields), weights_(weights) {}

  void run(float layer_scale) {
    construct_base();
    fill_base();
    if (weights_.has("classifier.weight")) {
      weights_.construct_layer("classifier");
      weights_.draw_layer("classifier", rule_.layers_twice);
    }
    if (weights_.has("decoder:embed.weight")) make_decoder();
    fill_constants(layer_scale);
  }

 private:
  template <class Visit>
  void for_layers(std::int64_t blocks, const std::string& behind, Visit visit) {
    for (std::int64_t n = 0; n < blocks; ++n) {
      for (const std::string_view layer : kBlockLayers) {
        const std::string role = std::to_string(n) + ":" + behind + std::string(layer);
        if (weights_.has(role + ".weight")) visit(role);
      }
    }
  }
  void construct_blocks(std::int64_t blocks, const std::string& behind) {
    for_layers(blocks, behind, [&](const std::string& role) { weights_.construct_layer(role); });
  }
  void fill_blocks(std::int64_t blocks, const std::string& behind) {
    for_layers(blocks, behind,
               [&](const std::string& role) { weights_.draw_layer(role, rule_.layers_twice); });
  }

  void construct_base() {
    if (rule_.random_class_token) weights_.construct_random("cls_token");
    weights_.construct_layer("patches");
    if (rule_.random_positions) weights_.construct_random("positions");
    construct_blocks(fields_.layers, "");
  }

  void fill_base() {
    if (rule_.blocks_first) fill_blocks(fields_.layers, "");
    weights_.draw_layer("patches", rule_.layers_twice);
    for (const char* token : {"positions", "cls_token"}) {
      if (rule_.tokens_drawn) weights_.draw_truncated(token);
      if (!rule_.tokens_kept) weights_.fill(token, 0);
    }
    if (!rule_.blocks_first) fill_blocks(fields_.layers, "");
  }

  void make_decoder() {
    const std::string behind = "decoder:";
    weights_.construct_layer("decoder:embed");
    construct_blocks(fields_.decoder_layers, behind);
    weights_.construct_layer("decoder:pred");
    if (rule_.decoder_drawn) weights_.draw("decoder:mask_token");
    weights_.draw_layer("decoder:embed", rule_.layers_twice);
    fill_blocks(fields_.decoder_layers, behind);
    weights_.draw_layer("decoder:pred", rule_.layers_twice);
    weights_.fill("decoder:mask_token", 0);
  }

  void fill_constants(float layer_scale) {
    const auto fill_norms = [&](std::int64_t blocks, const std::string& behind) {
      for (std::int64_t n = 0; n < blocks; ++n) {
        for (const char* norm : {"norm1", "norm2"})
          weights_.fill(std::to_string(n) + ":" + behind + norm + ".weight", 1);
        for (const char* scale : {"scale1", "scale2"}) {
          const std::string role = std::to_string(n) + ":" + behind + scale;
          if (weights_.has(role)) weights_.fill(role, layer_scale);
        }
      }
    };
    fill_norms(fields_.layers, "");
    weights_.fill("norm.weight", 1);
    if (!weights_.has("decoder:norm.weight")) return;
    fill_norms(fields_.decoder_layers, "decoder:");
    weights_.fill("decoder:norm.weight", 1);
  }

  const model::InitialValues& rule_;
  const model::Fields& fields_;
  InitialWeights& weights_;
};

Result<double> number_of_field(const Json& config, std::string_view type, const char* field) {
  SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config, field));
  if (value != nullptr && value->is_number()) return value->get<double>();
  return default_number(type, field).value_or(1);
}

/// Tensors in memory that the checkpoint owns, in the order of the module.
Result<Checkpoint> checkpoint_of(const std::string& path,
                                 const std::vector<model::TensorSpec>& specs,
                                 InitialWeights& weights) {
  std::vector<MemoryTensor> tensors;
  std::vector<std::shared_ptr<std::vector<std::uint8_t>>> owned;
  for (const model::TensorSpec& spec : specs) {
    const std::vector<float>& values = weights.at(spec.role);
    owned.push_back(std::make_shared<std::vector<std::uint8_t>>(values.size() * sizeof(float)));
    if (!values.empty()) std::memcpy(owned.back()->data(), values.data(), owned.back()->size());
    tensors.push_back({.name = spec.name,
                       .shape = spec.shape,
                       .strides = contiguous_strides(spec.shape),
                       .storage = *owned.back()});
  }
  SAMEBITS_TRY(Checkpoint checkpoint, checkpoint_of_tensors(path, tensors));
  checkpoint.owned = std::move(owned);
  return checkpoint;
}

}  // namespace

Result<std::optional<Json>> config_alone(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (!path.ends_with(".json")) return std::nullopt;
    SAMEBITS_TRY(Json config, read_object(path));
    return config;
  }
  bool has_config = false;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    has_config = has_config || name == kConfigFile;
    const bool words = name.ends_with(".json") || name.ends_with(".txt") || name.ends_with(".md");
    if (!words || name.ends_with(".index.json")) return std::nullopt;
  }
  if (!has_config) return std::nullopt;
  SAMEBITS_TRY(Json config, read_object((fs::path(path) / kConfigFile).string()));
  return config;
}

Result<Checkpoint> initial_checkpoint(const Json& config, const std::string& path,
                                      std::uint64_t seed) {
  const auto unsupported = [&](const std::string& what) {
    return fail({.code = ErrorCode::unsupported, .what = what, .file = path});
  };
  const std::string name = config.is_object() ? class_of_config(config) : "";
  const model::ModelClass* known = model::find_class(model::Library::transformers5, name);
  const model::InitialValues* rule =
      known == nullptr ? nullptr : model::initial_values_of(known->model_type);
  const bool trained = name.ends_with("ForImageClassification") || name.ends_with("ForPreTraining");
  if (rule == nullptr || !trained)
    return unsupported("a config alone of " + (name.empty() ? "no known class" : name) +
                       " cannot be trained");
  SAMEBITS_TRY(const model::LoadTarget target,
               model::make_target({model::Library::transformers5, name}, &config, {}));
  const std::vector<model::TensorSpec> specs =
      in_parameter_order(target.library, *target.model_class, target.tensors);
  SAMEBITS_TRY(double std, number_of_field(config, rule->model_type, "initializer_range"));
  SAMEBITS_TRY(const double scale, number_of_field(config, rule->model_type, "layerscale_value"));
  constexpr double kMostStd = 5;  // above it trunc_normal_ draws otherwise
  if (!(std > 0) || std > kMostStd) return unsupported("its initializer_range is not covered");
  InitialWeights weights(specs, std, seed);
  Initializer(*rule, target.fields, weights).run(static_cast<float>(scale));
  SAMEBITS_TRY(Checkpoint checkpoint, checkpoint_of(path, specs, weights));
  checkpoint.kind = CheckpointKind::hf_directory;
  checkpoint.config = config;
  checkpoint.config["architectures"] = Json::array({name});
  checkpoint.model_type = std::string(rule->model_type);
  return checkpoint;
}

}  // namespace samebits
