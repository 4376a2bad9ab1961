#include "samebits/cli/field_options.h"

#include <string>

#include <fmt/format.h>

#include "samebits/family/field_options.h"
#include "samebits/family/field_ranges.h"

namespace samebits {
namespace {

Json value_of(const FieldOption& option, const std::string& text) {
  if (option.type == "NAME") return text;
  Json value = Json::parse(text, nullptr, false);
  return value.is_number() ? value : Json(text);
}

std::string text_of(std::string_view view) { return std::string(view); }

void take_field(const FieldOption& option, const std::string& text, Json* fields) {
  const std::string field = text_of(option.field);
  const Json given = {{field, value_of(option, text)}};
  if (const auto checked = checked_field(FieldOf::config, given, option.field); !checked) {
    const Error& error = checked.error();
    throw CLI::ValidationError(text_of(option.option),
                               fmt::format("{} is not usable: it takes {}", text.substr(0, 40),
                                           error.expected.empty() ? error.what : error.expected));
  }
  (*fields)[field] = given[field];
}

}  // namespace

void add_field_options(CLI::App* command, Json* fields) {
  *fields = Json::object();
  for (const FieldOption& option : kFieldOptions) {
    if (command->get_option_no_throw(text_of(option.option)) != nullptr) continue;  // of its own
    command
        ->add_option_function<std::string>(
            text_of(option.option),
            [&option, fields](const std::string& text) { take_field(option, text, fields); },
            text_of(option.description) + ", where no config says it")
        ->type_name(text_of(option.type));
  }
}

}  // namespace samebits
