// The checks that field_ranges.h declares.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "samebits/family/classes.h"
#include "samebits/family/field_ranges.h"

namespace samebits {
namespace {

constexpr std::size_t kMostChannels = 16;
constexpr std::size_t kMostAxes = 3;  // of a convolution

/// What is wrong with a value, the worst last.
enum class Fault : std::uint8_t { none, range, type };

bool in_range(const FieldRange& row, double value) {
  const bool above = row.open_below ? value > row.least : value >= row.least;
  return above && value <= row.most;
}

Fault check_number(const FieldRange& row, const Json& value, bool whole) {
  if (whole ? !value.is_number_integer() : !value.is_number()) return Fault::type;
  return in_range(row, value.get<double>()) ? Fault::none : Fault::range;
}

/// One number, or a list of `least` to `most` numbers.
Fault check_list(const FieldRange& row, const Json& value, bool whole, std::size_t least,
                 std::size_t most) {
  if (!value.is_array()) return check_number(row, value, whole);
  if (value.size() < least || value.size() > most) return Fault::type;
  Fault fault = Fault::none;
  for (const Json& each : value) fault = std::max(fault, check_number(row, each, whole));
  return fault;
}

/// The sides of a size by their names; those that a class knows are no matter here.
Fault check_size(const FieldRange& row, const Json& value) {
  if (!value.is_object()) return check_list(row, value, true, 2, 2);
  if (value.empty()) return Fault::type;
  Fault fault = Fault::none;
  for (const Json& side : value) {
    if (!side.is_null()) fault = std::max(fault, check_number(row, side, true));
  }
  return fault;
}

Fault type_unless(bool fits) { return fits ? Fault::none : Fault::type; }

Fault check_value(const FieldRange& row, const Json& value) {
  if (value.is_null()) return type_unless(row.may_be_null);
  switch (row.type) {
    case FieldType::flag: return type_unless(value.is_boolean());
    case FieldType::text: return type_unless(value.is_string());
    case FieldType::texts:
      return type_unless(value.is_array() && std::ranges::all_of(value, [](const Json& each) {
                           return each.is_string();
                         }));
    case FieldType::labels:
      if (!value.is_object()) return Fault::type;
      return in_range(row, static_cast<double>(value.size())) ? Fault::none : Fault::range;
    case FieldType::whole: return check_number(row, value, true);
    case FieldType::number: return check_number(row, value, false);
    case FieldType::numbers: return check_list(row, value, false, 1, kMostChannels);
    case FieldType::sides: return check_list(row, value, true, 2, 2);
    case FieldType::size: return check_size(row, value);
    case FieldType::wholes:
      return value.is_string() ? Fault::none : check_list(row, value, true, 1, kMostAxes);
    case FieldType::resample:
      return value.is_string() ? Fault::none : check_number(row, value, true);
  }
  return Fault::type;
}

const char* type_text(FieldType type) {
  switch (type) {
    case FieldType::flag: return "true or false";
    case FieldType::text: return "a text";
    case FieldType::texts: return "a list of texts";
    case FieldType::labels: return "an object";
    case FieldType::number: return "a number";
    case FieldType::numbers: return "a number, or a list of one for each channel,";
    case FieldType::sides: return "a whole number, or a list of two,";
    case FieldType::size: return "a whole number, a list of two, or an object of them,";
    case FieldType::wholes: return "a whole number, or a list of up to three,";
    case FieldType::whole:
    case FieldType::resample: break;
  }
  return "a whole number";
}

std::string expected_text(const FieldRange& row) {
  if (row.type <= FieldType::labels) return type_text(row.type);
  return fmt::format("{} {} {} to {}", type_text(row.type), row.open_below ? "above" : "from",
                     row.least, row.most);
}

const char* owner_text(FieldOf of) {
  switch (of) {
    case FieldOf::config: return "the config's field";
    case FieldOf::processor: return "the image processor's field";
    case FieldOf::module: break;
  }
  return "a module's";
}

const char* hint_text(FieldOf of) {
  switch (of) {
    case FieldOf::config: return "Correct the config, or name another one with --config";
    case FieldOf::processor: return "Correct it, or name another one with --processor";
    case FieldOf::module: break;
  }
  return "Build the model again from the config that was meant, and save it anew";
}

Error fault_error(const FieldRange& row, Fault fault, const Json& value) {
  return {.code = fault == Fault::type ? ErrorCode::malformed : ErrorCode::limit,
          .what = fmt::format("{} {} is not usable: {}", owner_text(row.of), row.field, row.reason),
          .expected = expected_text(row),
          .found = short_json(value),
          .hint = hint_text(row.of)};
}

std::optional<Error> check_row(const FieldRange& row, const Json& object) {
  const auto found = object.find(row.field);
  if (found == object.end()) return std::nullopt;
  const Fault fault = check_value(row, *found);
  if (fault == Fault::none) return std::nullopt;
  return fault_error(row, fault, *found);
}

std::vector<Error> faults_of(FieldOf of, const Json& object, const std::string& file) {
  std::vector<Error> faults;
  for (const FieldRange& row : field_ranges()) {
    if (row.of != of) continue;
    if (auto error = check_row(row, object)) {
      error->file = file;
      faults.push_back(*std::move(error));
    }
  }
  return faults;
}

/// Height and width of a field that was checked; nothing where it is absent or was not usable.
std::optional<std::array<double, 2>> sides_of(const Json& config, std::string_view field) {
  const Result<const Json*> value = checked_field(FieldOf::config, config, field);
  if (!value || *value == nullptr) return std::nullopt;
  const Json& found = **value;
  if (found.is_array()) return std::array{found[0].get<double>(), found[1].get<double>()};
  return std::array{found.get<double>(), found.get<double>()};
}

bool holds(const FieldRelation& relation, double value, double other) {
  if (!relation.multiple) return value >= other;
  return static_cast<std::int64_t>(value) % static_cast<std::int64_t>(other) == 0;
}

bool class_begins_with(std::string_view class_path, std::string_view classes) {
  while (!classes.empty()) {
    const std::size_t end = std::min(classes.find(' '), classes.size());
    const std::string_view each = classes.substr(0, end);
    if (each == kFamilyClasses ? model::type_of_class(class_path) != nullptr
                               : class_path.starts_with(each))
      return true;
    classes.remove_prefix(std::min(end + 1, classes.size()));
  }
  return false;
}

}  // namespace

std::vector<Error> config_faults(const Json& config, const std::string& file) {
  if (!config.is_object() || !has_known_fields(config)) return {};
  std::vector<Error> faults = faults_of(FieldOf::config, config, file);
  for (const FieldRelation& relation : field_relations()) {
    const auto value = sides_of(config, relation.field);
    const auto other = sides_of(config, relation.other);
    if (!value || !other) continue;
    if (holds(relation, (*value)[0], (*other)[0]) && holds(relation, (*value)[1], (*other)[1]))
      continue;
    faults.push_back({.code = ErrorCode::inconsistent,
                      .what = fmt::format("the config's fields {} and {} do not fit together: {}",
                                          relation.field, relation.other, relation.reason),
                      .file = file,
                      .expected = fmt::format(
                          "{} {} {}", relation.field,
                          relation.multiple ? "as a multiple of" : "of at least", relation.other),
                      .found = short_json(config.at(std::string(relation.field))) + " and " +
                               short_json(config.at(std::string(relation.other))),
                      .hint = hint_text(FieldOf::config)});
  }
  return faults;
}

std::vector<Error> processor_faults(const Json& processor, const std::string& file) {
  if (!processor.is_object()) return {};
  for (const char* field : {"image_processor_type", "feature_extractor_type"}) {
    const auto name = processor.find(field);
    if (name == processor.end() || !name->is_string()) continue;
    if (!is_known_processor(name->get_ref<const std::string&>())) return {};
    break;
  }
  return faults_of(FieldOf::processor, processor, file);
}

std::vector<Error> module_faults(const Json& attributes, std::string_view class_path) {
  std::vector<Error> faults;
  if (!attributes.is_object()) return faults;
  for (const FieldRange& row : field_ranges()) {
    if (row.of != FieldOf::module || !class_begins_with(class_path, row.classes)) continue;
    if (auto error = check_row(row, attributes)) faults.push_back(*std::move(error));
  }
  return faults;
}

Result<const Json*> checked_field(FieldOf of, const Json& object, std::string_view field) {
  const auto row = std::ranges::find_if(
      field_ranges(), [&](const FieldRange& each) { return each.of == of && each.field == field; });
  SAMEBITS_CHECK(row != field_ranges().end());
  const auto found = object.find(field);
  if (found == object.end()) return nullptr;
  const Fault fault = check_value(*row, *found);
  if (fault != Fault::none) return fail(fault_error(*row, fault, *found));
  return found->is_null() ? nullptr : &*found;
}

}  // namespace samebits
