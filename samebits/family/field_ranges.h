// What the fields of configs, image processors and modules may hold: one table, against which every
// value is checked where it is read.
//
// Source: the configuration classes, image processors and modules of transformers 4.57.6 and
// 5.24.0, torch.nn of torch 2.13, timm 1.0. A range ends where the field has no meaning any more,
// or far beyond every model that exists (base/limits.h). Fields that are not in the table are not
// checked: nothing computes with them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/base/json.h"

namespace samebits {

enum class FieldOf : std::uint8_t { config, processor, module };

enum class FieldType : std::uint8_t {
  flag,      // true
  text,      // "gelu"
  texts,     // ["ViTModel"]
  labels,    // {"0": "cat"}
  whole,     // 12
  number,    // 0.5, and whole numbers
  numbers,   // one number, or one for each of at most 16 channels
  sides,     // 224, or height and width: [224, 224]
  size,      // sides, or an object of them: {"height": 224, "width": 224}, {"shortest_edge": 224}
  wholes,    // 3, [3, 3], or a word in their place ("same")
  resample,  // a whole number, or its name ("bicubic")
};

/// Among the classes of modules: those that transformers defines for the types of the family.
inline constexpr std::string_view kFamilyClasses = "*";

/// Least and most are in the range, unless it is open there.
struct FieldRange {
  FieldOf of;
  std::string_view classes;  // of modules: what their paths begin with, or "*", blanks between
  std::string_view field;
  FieldType type;
  double least = 0, most = 0;  // of every number in it
  std::string_view reason{};   // what the field is, as a clause
  bool may_be_null = false;
  bool open_below = false;
};

std::span<const FieldRange> field_ranges();

/// Two fields of a config of which each is usable, but not both together.
struct FieldRelation {
  std::string_view field, other;
  bool multiple = false;  // `field` is a multiple of `other`; else at least as large
  std::string_view reason;
};

std::span<const FieldRelation> field_relations();

/// Whether a config is of the ViT family, for whose fields the table is: by its model_type, and
/// where that is absent or no text.
bool has_known_fields(const Json& config);

/// Whether the table is for image processors of this class ("ViTImageProcessorFast").
bool is_known_processor(std::string_view name);

/// Everything in an object that the table or a relation does not allow, in the order of the table;
/// errors as those of checked_field(). Empty for objects that the table does not know, and for
/// anything else than an object.
std::vector<Error> config_faults(const Json& config, const std::string& file);
std::vector<Error> processor_faults(const Json& processor, const std::string& file);

/// Of the attributes of a module: the rows for its class that they break.
std::vector<Error> module_faults(const Json& attributes, std::string_view class_path);

/// The value of a field that the table has: nullptr where it is absent, or null and may be.
/// Errors: malformed where it is of another type, limit where it is outside its range.
Result<const Json*> checked_field(FieldOf of, const Json& object, std::string_view field);

}  // namespace samebits
