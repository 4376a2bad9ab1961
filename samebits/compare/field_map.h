// A JSON object as named fields that can be held against another's: what stands in the file, and
// what absent fields mean.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/compare/config.h"

namespace samebits {

struct FieldValue {
  Json value;
  bool assumed = false;  // the file does not state it
};
using FieldMap = std::map<std::string, FieldValue, std::less<>>;

/// The members of an object; null counts as absent. Empty for anything but an object.
FieldMap fields_of(const Json& object);

/// The stated or assumed value of a field, or nullptr.
const Json* find_value(const FieldMap& fields, std::string_view name);
/// A field's value as text; "" where it is absent or no string.
std::string text_of(const FieldMap& fields, std::string_view name);

/// Adds a value that the file does not state. Does nothing where the field is there.
void assume(FieldMap& fields, std::string_view name, Json value);

/// Moves `from` to `to`, unless `to` is there; `from` goes in any case.
void rename_field(FieldMap& fields, std::string_view from, std::string_view to);

/// Numbers compare as numbers, objects without regard to order. Values nested deeper than
/// kLimits.json_depth are never the same.
bool same_value(const Json& a, const Json& b);

struct FieldJudgement {
  FieldEffect effect = FieldEffect::unknown;
  std::string why;
};
using FieldJudge = std::function<FieldJudgement(const std::string& field)>;

/// Nested objects are compared member by member under dotted names. Values longer than 16 members
/// or 200 characters are shown as their length. Sorted: outputs first, then by name.
std::vector<FieldDifference> compare_fields(const FieldMap& a, const FieldMap& b,
                                            const FieldJudge& judge);

}  // namespace samebits
