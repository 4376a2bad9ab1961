#include "samebits/model/config_fields.h"

#include <array>
#include <optional>

#include "samebits/base/field_ranges.h"

namespace samebits::model {
namespace {

/// The defaults of the configuration classes (the same in 4.57.6 and 5.24.0).
struct Defaults {
  std::string_view model_type;
  std::int64_t patch;
  bool mlp_ratio;  // the mlp's width is width times mlp_ratio
};
constexpr std::array kDefaults = {Defaults{"vit", 16, false}, Defaults{"vit_mae", 16, false},
                                  Defaults{"deit", 16, false}, Defaults{"dinov2", 14, true},
                                  Defaults{"dinov2_with_registers", 16, true}};

/// Fields of one config; the first that the table of ranges does not allow is its error.
class Reader {
 public:
  explicit Reader(const Json& config) : config_(config) {}

  std::int64_t size(const char* key, std::int64_t absent) {
    const Json* value = checked(key);
    return value == nullptr ? absent : value->get<std::int64_t>();
  }
  /// An int, or a list of height and width.
  std::array<std::int64_t, 2> pair(const char* key, std::int64_t absent) {
    const Json* value = checked(key);
    if (value == nullptr) return {absent, absent};
    if (value->is_array())
      return {(*value)[0].get<std::int64_t>(), (*value)[1].get<std::int64_t>()};
    return {value->get<std::int64_t>(), value->get<std::int64_t>()};
  }
  bool flag(const char* key, bool absent) {
    const Json* value = checked(key);
    return value == nullptr ? absent : value->get<bool>();
  }
  double ratio(const char* key, double absent) {
    const Json* value = checked(key);
    return value == nullptr ? absent : value->get<double>();
  }
  /// How many names a field holds; nothing where it is absent.
  std::optional<std::int64_t> names(const char* key) {
    const Json* value = checked(key);
    return value == nullptr ? std::nullopt
                            : std::optional(static_cast<std::int64_t>(value->size()));
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const Json* checked(const char* key) {
    Result<const Json*> value = checked_field(FieldOf::config, config_, key);
    if (value) return *value;
    if (!error_) error_ = std::move(value).error();
    return nullptr;
  }
  const Json& config_;
  std::optional<Error> error_;
};

Result<Defaults> defaults_of(const Json& config, const ModelClass& model_class) {
  if (!config.is_object())
    return fail({.code = ErrorCode::usage, .what = "the config is no JSON object"});
  SAMEBITS_TRY(const Json* named, checked_field(FieldOf::config, config, "model_type"));
  std::string type = named ? named->get<std::string>() : std::string(model_class.model_type);
  if (type.empty()) type = "vit";
  for (const Defaults& defaults : kDefaults)
    if (defaults.model_type == type) return defaults;
  return fail({.code = ErrorCode::unsupported,
               .what = "the model type is not one of the ViT family",
               .expected = "vit, vit_mae, deit, dinov2 or dinov2_with_registers",
               .found = short_json(type)});
}

/// Where num_labels and the names of id2label contradict each other, transformers 4.57.6 counts the
/// names and 5.24.0 takes the number.
std::int64_t classes_of(Reader& reader, Library library) {
  const auto names = reader.names("id2label");
  const std::int64_t count = reader.size("num_labels", names.value_or(2));
  return library == Library::transformers5 ? count : names.value_or(count);
}

/// Width of each half of Dinov2's SwiGLU, from the width that mlp_ratio asks for.
std::int64_t gated_width(std::int64_t hidden) {
  const auto two_thirds = static_cast<std::int64_t>(static_cast<double>(hidden) * 2 / 3);
  return (two_thirds + 7) / 8 * 8;
}

void read_patches(Reader& reader, const Defaults& defaults, Fields& fields) {
  const auto image = reader.pair("image_size", 224);
  const auto patch = reader.pair("patch_size", defaults.patch);
  fields['P'] = patch[0];
  fields['W'] = patch[1];
  fields['I'] = reader.size("num_channels", 3);
  if (patch[0] > 0 && patch[1] > 0) fields.patches = (image[0] / patch[0]) * (image[1] / patch[1]);
}

void read_decoders(Reader& reader, Fields& fields) {
  fields.decoder_layers = reader.size("decoder_num_hidden_layers", 8);
  fields['E'] = reader.size("decoder_hidden_size", 512);
  fields['G'] = reader.size("decoder_intermediate_size", 2048);
  const std::int64_t stride = reader.size("encoder_stride", 16);
  const auto area = [&](std::int64_t a, std::int64_t b) {
    std::int64_t product = -1;
    return __builtin_mul_overflow(a, b, &product) ||
                   __builtin_mul_overflow(product, fields['I'], &product)
               ? -1
               : product;
  };
  fields['V'] = area(fields['P'], fields['P']);
  fields['Q'] = area(stride, stride);
}

Parts parts_of(Reader& reader, const ModelClass& model_class, std::int64_t classes) {
  Parts parts = model_class.assumed | kClassToken;
  if (model_class.model_type.empty() && classes > 0) parts |= kClassifier;
  if (classes == 0) parts &= ~kClassifier;
  if (model_class.family == Family::dinov2 && !reader.flag("use_mask_token", true))
    parts &= ~kMaskToken;
  if (reader.flag("qkv_bias", true)) parts |= kQkvBias;
  if (reader.flag("use_swiglu_ffn", false)) parts |= kGated;
  return parts;
}

}  // namespace

Result<Fields> fields_from_config(const Json& config, const ModelClass& model_class,
                                  Library library) {
  SAMEBITS_TRY(const Defaults defaults, defaults_of(config, model_class));
  Reader reader(config);
  Fields fields;
  fields['D'] = reader.size("hidden_size", 768);
  const double asked =
      static_cast<double>(fields['D']) * (defaults.mlp_ratio ? reader.ratio("mlp_ratio", 4) : 0);
  const auto ratio_width = static_cast<std::int64_t>(asked);
  fields['M'] = defaults.mlp_ratio ? ratio_width : reader.size("intermediate_size", 3072);
  fields['F'] = gated_width(fields['M']);
  fields.layers = reader.size("num_hidden_layers", 12);
  fields['C'] = classes_of(reader, library);
  fields['R'] = reader.size("num_register_tokens", 4);
  fields['Y'] = reader.size("pooler_output_size", 0);
  if (fields['Y'] == 0) fields['Y'] = fields['D'];
  read_patches(reader, defaults, fields);
  read_decoders(reader, fields);
  fields.parts = parts_of(reader, model_class, fields['C']);
  const bool dinov2 = defaults.mlp_ratio;
  if (dinov2) fields.parts |= kLayerScale;
  if (defaults.model_type == "dinov2_with_registers") fields.parts |= kRegisters;
  if (reader.error()) return fail(*reader.error());
  return fit(fields, model_class);
}

}  // namespace samebits::model
