#include "samebits/run/vit_config.h"

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/limits.h"
#include "samebits/family/field_options.h"
#include "samebits/family/field_ranges.h"
#include "samebits/model/fields_from_config.h"

namespace samebits {
namespace {

// With these the forward pass is another one.
constexpr model::Parts kOtherParts =
    model::kPoolNorm | model::kPreNorm | model::kQkNorm | model::kPreLogits | model::kLinearProbe;

/// Fields that nothing says. The hint names the options that do.
Error lacking(const std::vector<std::string>& fields) {
  std::string options;
  for (const std::string& field : fields) {
    const FieldOption* option = option_of_field(field);
    if (option == nullptr) continue;
    options += fmt::format("{}{} {}", options.empty() ? "" : " ", option->option, option->type);
  }
  return {
      .code = ErrorCode::usage,
      .what = fmt::format("nothing says {}, and the weights do not tell", fmt::join(fields, ", ")),
      .hint = fmt::format("Name the config.json of the model with --config{}{}",
                          options.empty() ? "" : ", or say it: ", options)};
}

/// What the pass needs and no shape of a weight tells has to be said.
Result<void> check_said(const model::Recognition& found, const Json& config) {
  std::vector<std::string> unsaid = {"num_attention_heads", "layer_norm_eps", "hidden_act",
                                     "image_size"};
  if (found.model_class->pass == model::Pass::masked) unsaid.emplace_back("mask_ratio");
  if ((found.fields.parts & model::kDecoder) != 0)
    unsaid.emplace_back("decoder_num_attention_heads");
  std::erase_if(unsaid, [&](const std::string& field) {
    return config.is_object() && config.contains(field) && !config[field].is_null();
  });
  if (!unsaid.empty()) return fail(lacking(unsaid));
  return {};
}

class Reader {
 public:
  explicit Reader(const Json& config) : config_(config) {}

  Result<double> number(const char* field) const {
    SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config_, field));
    if (value == nullptr) return fail(lacking({field}));
    return value->get<double>();
  }

  Result<std::size_t> heads(const char* field, std::size_t width) const {
    SAMEBITS_TRY(const double value, number(field));
    const auto count = static_cast<std::size_t>(value);
    if (width > 0 && width % count == 0) return count;
    return fail({.code = ErrorCode::inconsistent,
                 .what = std::string("the config's field ") + field + " does not fit the weights",
                 .expected = fmt::format("a divisor of {}", width),
                 .found = fmt::format("{}", value)});
  }

  /// Height and width.
  Result<std::array<std::size_t, 2>> sides(const char* field) const {
    SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config_, field));
    if (value == nullptr) return fail(lacking({field}));
    if (value->is_array())
      return std::array{(*value)[0].get<std::size_t>(), (*value)[1].get<std::size_t>()};
    return std::array{value->get<std::size_t>(), value->get<std::size_t>()};
  }

  Result<Activation> activation() const {
    SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config_, "hidden_act"));
    if (value == nullptr) return fail(lacking({"hidden_act"}));
    const ActivationName* known =
        value->is_string() ? find_activation(value->get_ref<const std::string&>()) : nullptr;
    if (known != nullptr && known->is_run) return known->function;
    return fail({.code = ErrorCode::unsupported,
                 .what = "this activation is not covered",
                 .expected = run_activation_names(),
                 .found = short_json(*value)});
  }

  /// 0 where there is none, as the classes of transformers have it.
  Result<double> probability(const char* field) const {
    SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config_, field));
    return value == nullptr ? 0.0 : value->get<double>();
  }

  Result<bool> flag(const char* field) const {
    SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config_, field));
    return value != nullptr && value->get<bool>();
  }

  /// The pooler's function is tanh unless the config says otherwise.
  Result<void> check_pooler() const {
    SAMEBITS_TRY(const Json* value, checked_field(FieldOf::config, config_, "pooler_act"));
    if (value == nullptr || *value == "tanh") return {};
    return fail({.code = ErrorCode::unsupported,
                 .what = "this activation of the pooler is not covered",
                 .expected = "pooler_act tanh",
                 .found = short_json(*value)});
  }

 private:
  const Json& config_;
};

std::size_t size(std::int64_t value) { return value > 0 ? static_cast<std::size_t>(value) : 0; }

// Height and width from the patches, whose number the positions tell, and image_size.
Result<void> read_image(const Reader& reader, const model::Fields& fields, VitConfig* vit) {
  vit->patch_height = size(fields['P']);
  vit->patch_width = size(fields['W']);
  vit->channels = size(fields['I']);
  SAMEBITS_TRY(const auto sides, reader.sides("image_size"));
  vit->image_height = sides[0];
  vit->image_width = sides[1];
  const bool usable = vit->patch_height > 0 && vit->patch_width > 0 && vit->channels > 0;
  const std::size_t patches = usable ? vit->patches() : 0;
  if (patches > kLimits.tokens) {
    return fail({.code = ErrorCode::limit,
                 .what = "image_size has more patches than are run",
                 .expected = fmt::format("at most {}", kLimits.tokens),
                 .found = std::to_string(patches)});
  }
  if (patches > 0 && patches + vit->positioned() == size(fields['X'])) return {};
  return fail({.code = ErrorCode::inconsistent,
               .what = "image_size and the patches do not fit the position embeddings",
               .expected = patches > 0 ? fmt::format("{} positions", patches + vit->positioned())
                                       : "an image of one patch or more",
               .found = std::to_string(fields['X'])});
}

bool is_dino(const model::ModelClass& model_class) {
  return model_class.naming == model::Naming::dinov2;
}

Result<void> read_training(const Reader& reader, const model::ModelClass& model_class,
                           model::Library library, VitConfig* vit) {
  SAMEBITS_TRY(vit->hidden_dropout, reader.probability("hidden_dropout_prob"));
  SAMEBITS_TRY(vit->attention_dropout, reader.probability("attention_probs_dropout_prob"));
  SAMEBITS_TRY(const double path, reader.probability("drop_path_rate"));
  vit->embedding_dropout = model_class.pass != model::Pass::masked;
  if (!model::is_transformers(library)) {
    vit->no_training = "only transformers' classes are covered in training mode";
  } else if (vit->hidden_dropout == 1 || vit->attention_dropout == 1) {
    vit->no_training = "a dropout probability of 1 leaves nothing";
  } else if (is_dino(model_class) && (vit->hidden_dropout > 0 || path > 0)) {
    vit->no_training = "DINOv2's dropout differs between versions of transformers";
  }
  return {};
}

Error unfit(const char* field, std::int64_t weights, const Json& config) {
  return {.code = ErrorCode::inconsistent,
          .what = std::string("the config's field ") + field + " does not fit the weights",
          .expected = std::to_string(weights),
          .found = short_json(config[field])};
}

/// What the weights tell is not read from the config, but a config that says otherwise is another
/// model's: a library that builds from it would leave weights out or at random values.
Result<void> check_fields(const Json& config, const model::Recognition& found) {
  SAMEBITS_TRY(const model::Fields told,
               model::fields_from_config(config, *found.model_class, found.library));
  const model::Fields& own = found.fields;
  const auto differs = [&](const char* field, std::int64_t weights, std::int64_t said) {
    return config.contains(field) && weights >= 0 && weights != said;
  };
  const bool dino = is_dino(*found.model_class);
  const bool gated = (own.parts & model::kGated) != 0;
  constexpr std::pair<const char*, char> kSizes[] = {{"hidden_size", 'D'},
                                                     {"num_channels", 'I'},
                                                     {"patch_size", 'P'},
                                                     {"patch_size", 'W'},
                                                     {"num_register_tokens", 'R'},
                                                     {"decoder_hidden_size", 'E'},
                                                     {"decoder_intermediate_size", 'G'}};
  for (const auto& [field, letter] : kSizes) {
    if (differs(field, own[letter], told[letter])) return fail(unfit(field, own[letter], config));
  }
  const char* mlp = dino ? "mlp_ratio" : "intermediate_size";
  const char letter = gated ? 'F' : 'M';
  if (differs(mlp, own[letter], told[letter])) {
    Error error = unfit(mlp, own[letter], config);
    if (dino) error.expected = fmt::format("a perceptron of width {}", own[letter]);
    return fail(std::move(error));
  }
  if (differs("num_hidden_layers", own.layers, told.layers))
    return fail(unfit("num_hidden_layers", own.layers, config));
  if (differs("decoder_num_hidden_layers", own.decoder_layers, told.decoder_layers))
    return fail(unfit("decoder_num_hidden_layers", own.decoder_layers, config));
  for (const auto& [field, part] :
       {std::pair("qkv_bias", model::kQkvBias), std::pair("use_swiglu_ffn", model::kGated)}) {
    if (config.contains(field) && ((own.parts ^ told.parts) & part) != 0) {
      Error error = unfit(field, 0, config);
      error.expected = (own.parts & part) != 0 ? "true" : "false";
      return fail(std::move(error));
    }
  }
  return {};
}

}  // namespace

Result<VitConfig> vit_config(const model::Recognition& found, const Json& config) {
  const model::ModelClass& model_class = *found.model_class;
  const std::string_view name = model_class.name;
  const model::Fields& fields = found.fields;
  const bool other = model_class.pass == model::Pass::other;
  const bool has_class_token = (fields.parts & model::kClassToken) != 0;
  if (other || (fields.parts & kOtherParts) != 0 || !has_class_token) {
    return fail({.code = ErrorCode::unsupported,
                 .what = fmt::format("this form of {} of {} is not covered", name,
                                     model::is_transformers(found.library)
                                         ? "transformers"
                                         : model::library_name(found.library)),
                 .expected = "ViT, ViT-MAE, DeiT or DINOv2 with a class token and a final norm"});
  }
  SAMEBITS_TRY_VOID(check_said(found, config));
  SAMEBITS_TRY_VOID(check_fields(config, found));
  const Reader reader(config);
  VitConfig vit;
  const bool gated = (fields.parts & model::kGated) != 0;
  vit.encoder = {size(fields['D']), size(fields.layers), 0, size(fields[gated ? 'F' : 'M']), gated};
  vit.distilled = (fields.parts & model::kDistillation) != 0;
  if ((fields.parts & model::kRegisters) != 0) vit.registers = size(fields['R']);
  vit.mean_of_patches = model_class.head == 2;
  SAMEBITS_TRY(vit.activation, reader.activation());
  SAMEBITS_TRY(vit.encoder.heads, reader.heads("num_attention_heads", vit.encoder.width));
  SAMEBITS_TRY(const double eps, reader.number("layer_norm_eps"));
  vit.eps = static_cast<float>(eps);
  SAMEBITS_TRY_VOID(read_image(reader, fields, &vit));
  const bool square_only = is_dino(model_class) || (fields.parts & model::kDecoder) != 0;
  if (square_only && vit.image_height != vit.image_width) {
    return fail({.code = ErrorCode::unsupported,
                 .what = fmt::format("this image_size of {} is not covered", name),
                 .expected = "a square",
                 .found = fmt::format("[{}, {}]", vit.image_height, vit.image_width)});
  }
  if ((fields.parts & model::kPooler) != 0) SAMEBITS_TRY_VOID(reader.check_pooler());
  SAMEBITS_TRY_VOID(read_training(reader, model_class, found.library, &vit));
  vit.resampling = model::resampling_of(found.library, model_class);
  vit.names = point_names(model_class);
  vit.masked = model_class.pass == model::Pass::masked;
  if (vit.masked) {
    SAMEBITS_TRY(vit.mask_ratio, reader.number("mask_ratio"));
    SAMEBITS_TRY(vit.norm_pix_loss, reader.flag("norm_pix_loss"));
  }
  if ((fields.parts & model::kDecoder) != 0) {
    vit.decoder = {size(fields['E']), size(fields.decoder_layers), 0, size(fields['G']), false};
    SAMEBITS_TRY(vit.decoder.heads, reader.heads("decoder_num_attention_heads", vit.decoder.width));
  }
  return vit;
}

}  // namespace samebits
