#include "samebits/model/fields_from_config.h"

#include <array>
#include <optional>

#include "samebits/family/config_fields.h"
#include "samebits/family/field_ranges.h"

namespace samebits::model {
namespace {

/// Fields of one config; the first that the table of ranges does not allow is its error.
class Reader {
 public:
  Reader(const Json& config, std::string_view model_type)
      : config_(config), model_type_(model_type) {}

  std::int64_t size(const char* key, std::int64_t absent) {
    const Json* value = checked(key);
    return value == nullptr ? absent : value->get<std::int64_t>();
  }
  std::int64_t size(const char* key) { return size(key, static_cast<std::int64_t>(fallback(key))); }
  /// An int, or a list of height and width.
  std::array<std::int64_t, 2> pair(const char* key) {
    const Json* value = checked(key);
    if (value == nullptr) {
      const auto absent = static_cast<std::int64_t>(fallback(key));
      return {absent, absent};
    }
    if (value->is_array())
      return {(*value)[0].get<std::int64_t>(), (*value)[1].get<std::int64_t>()};
    return {value->get<std::int64_t>(), value->get<std::int64_t>()};
  }
  bool flag(const char* key, bool absent) {
    const Json* value = checked(key);
    return value == nullptr ? absent : value->get<bool>();
  }
  double ratio(const char* key) {
    const Json* value = checked(key);
    return value == nullptr ? fallback(key) : value->get<double>();
  }
  /// How many names a field holds; nothing where it is absent.
  std::optional<std::int64_t> names(const char* key) {
    const Json* value = checked(key);
    return value == nullptr ? std::nullopt
                            : std::optional(static_cast<std::int64_t>(value->size()));
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  /// What the type's config class says where the field is absent.
  double fallback(const char* key) const {
    const std::optional<double> number = default_number(model_type_, key);
    SAMEBITS_CHECK(number.has_value());
    return *number;
  }
  const Json* checked(const char* key) {
    Result<const Json*> value = checked_field(FieldOf::config, config_, key);
    if (value) return *value;
    if (!error_) error_ = std::move(value).error();
    return nullptr;
  }
  const Json& config_;
  std::string_view model_type_;
  std::optional<Error> error_;
};

Result<const ModelType*> type_of(const Json& config, const ModelClass& model_class) {
  if (!config.is_object())
    return fail({.code = ErrorCode::usage, .what = "the config is no JSON object"});
  SAMEBITS_TRY(const Json* named, checked_field(FieldOf::config, config, "model_type"));
  std::string type = named ? named->get<std::string>() : std::string(model_class.model_type);
  if (type.empty()) type = "vit";
  if (const ModelType* known = find_model_type(type)) return known;
  return fail({.code = ErrorCode::unsupported,
               .what = "the model type is not one of the ViT family",
               .expected = model_type_names(),
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

/// A type has one of the two fields.
std::int64_t mlp_width(Reader& reader, const ModelType& type, std::int64_t hidden) {
  if (!has_default(type.name, "mlp_ratio")) return reader.size("intermediate_size");
  return static_cast<std::int64_t>(static_cast<double>(hidden) * reader.ratio("mlp_ratio"));
}

void read_patches(Reader& reader, Fields& fields) {
  const auto image = reader.pair("image_size");
  const auto patch = reader.pair("patch_size");
  fields['P'] = patch[0];
  fields['W'] = patch[1];
  fields['I'] = reader.size("num_channels");
  if (patch[0] > 0 && patch[1] > 0) fields.patches = (image[0] / patch[0]) * (image[1] / patch[1]);
}

void read_decoders(Reader& reader, Fields& fields) {
  fields.decoder_layers = reader.size("decoder_num_hidden_layers");
  fields['E'] = reader.size("decoder_hidden_size");
  fields['G'] = reader.size("decoder_intermediate_size");
  const std::int64_t stride = reader.size("encoder_stride");
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
  if (model_class.naming == Naming::dinov2 && !reader.flag("use_mask_token", true))
    parts &= ~kMaskToken;
  if (reader.flag("qkv_bias", true)) parts |= kQkvBias;
  if (reader.flag("use_swiglu_ffn", false)) parts |= kGated;
  return parts;
}

}  // namespace

Result<Fields> fields_from_config(const Json& config, const ModelClass& model_class,
                                  Library library) {
  SAMEBITS_TRY(const ModelType* type, type_of(config, model_class));
  Reader reader(config, type->name);
  Fields fields;
  fields['D'] = reader.size("hidden_size");
  fields['M'] = mlp_width(reader, *type, fields['D']);
  fields['F'] = gated_width(fields['M']);
  fields.layers = reader.size("num_hidden_layers");
  fields['C'] = classes_of(reader, library);
  fields['R'] = reader.size("num_register_tokens");
  fields['Y'] = reader.size("pooler_output_size", 0);
  if (fields['Y'] == 0) fields['Y'] = fields['D'];
  read_patches(reader, fields);
  read_decoders(reader, fields);
  fields.parts = parts_of(reader, model_class, fields['C']);
  if (has_default(type->name, "layerscale_value")) fields.parts |= kLayerScale;
  if (has_default(type->name, "num_register_tokens")) fields.parts |= kRegisters;
  if (reader.error()) return fail(*reader.error());
  return fit(fields, model_class);
}

}  // namespace samebits::model
