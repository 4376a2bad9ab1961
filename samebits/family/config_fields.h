// What each field of a Hugging Face config can do to outputs, and what it means where it is absent.
//
// Source: the configuration classes of transformers 4.57.6 and 5.24.0 (PretrainedConfig, ViT,
// ViTMAE, DeiT, Dinov2, Dinov2WithRegisters) and every use of their fields in the models' code.
// tests/parity/config_fields_test.py and field_effects_test.py hold the tables against both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>

namespace samebits {

/// What a field can do.
enum class FieldEffect : std::uint8_t {
  outputs,   // eval outputs change (mask_ratio, layer_norm_eps, hidden_act, image_mean, ...)
  training,  // only training or initialization (initializer_range, hidden_dropout_prob in eval
             // mode)
  numerics,  // equal up to rounding (attention implementation, dtype of the computation)
  version,   // outputs change in one version of the library, and the other does not read it
  labels,    // outputs stay, and what they are called changes (id2label, return_dict)
  input,     // outputs of one input stay, and images become another one
  nothing,   // bookkeeping (transformers_version, _name_or_path, architectures, ...)
  unknown,   // a field that the table does not know: reported as one that may matter
};
const char* field_effect_name(FieldEffect effect);

struct ConfigField {
  std::string_view models;  // model types, separated by blanks; "" for every type, or kEveryType
  std::string_view name;
  FieldEffect effect;
  std::string_view fallback;  // JSON of what an absent field means; "" where that is not known
  std::string_view why;       // one clause
  bool where_both = false;    // says nothing where only one side states it
};

/// Why a field matters that is a size of tensors.
inline constexpr std::string_view kShapesChange = "the shapes of the weights change";
inline constexpr std::string_view kBlockCount = "the number of blocks changes";

/// Why one may matter that rotary embeddings alone read, and not of every kind.
inline constexpr std::string_view kOfRotaryKind = "rotary embeddings of some kinds depend on it";

/// In place of a list of model types: those of the family (family/classes.h).
inline constexpr std::string_view kEveryType = "*";

/// A row for certain model types stands behind the general row of the same name and replaces it.
std::span<const ConfigField> config_field_rows();

/// What an absent field means for certain model types.
struct ConfigDefault {
  std::string_view models;
  std::string_view name;
  std::string_view fallback;
};
std::span<const ConfigDefault> config_default_rows();

/// The default of a field that is a number; where the type has no such field, that of a type that
/// has one. Nothing where none has.
std::optional<double> default_number(std::string_view model_type, std::string_view field);
/// Whether the field says a shape of weights, or their number: another one needs other tensors. Of
/// a field in a config inside the config ("vision_config.image_size") its last name.
bool says_shapes(std::string_view field);
/// Whether the type has a default of its own for the field.
bool has_default(std::string_view model_type, std::string_view field);

/// Other spellings of a field: attributes behind properties, and names of older versions.
struct FieldAlias {
  std::string_view alias, name;
};
std::span<const FieldAlias> config_aliases();

/// Fields of generate(): no forward pass of the library's classes reads them.
bool is_of_generate(const ConfigField& row);

/// The rows for one model type, by name.
class ConfigTable {
 public:
  explicit ConfigTable(std::string_view model_type);
  const ConfigField* find(std::string_view name) const;
  const std::map<std::string_view, ConfigField>& fields() const { return fields_; }

 private:
  std::map<std::string_view, ConfigField> fields_;
};

}  // namespace samebits
