#include <fmt/format.h>

#include <algorithm>

#include "samebits/report/sections.h"
#include "samebits/report/tell_apart.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kFields = 12;  // rows of one table

std::string effect_text(const FieldDifference& difference) {
  const char* effect = "";
  switch (difference.effect) {
    case FieldEffect::outputs: effect = "moves outputs"; break;
    case FieldEffect::training: effect = "training only"; break;
    case FieldEffect::numerics: effect = "rounding only"; break;
    case FieldEffect::version: effect = "moves outputs in one version"; break;
    case FieldEffect::labels: effect = "names outputs"; break;
    case FieldEffect::input: effect = "moves inputs"; break;
    case FieldEffect::nothing: effect = "no effect"; break;
    case FieldEffect::unknown: effect = "may matter"; break;
  }
  return difference.why.empty() ? effect : fmt::format("{}: {}", effect, difference.why);
}

std::vector<std::string> field_row(const FieldDifference& difference) {
  constexpr std::size_t kValue = 40;  // columns of a value; the difference of long ones is kept
  const std::vector<std::string> values =
      tell_apart({difference.missing_a ? "(none)" : printable(value_text(difference.a)),
                  difference.missing_b ? "(none)" : printable(value_text(difference.b))},
                 kValue);
  return {difference.field, values[0], values[1], effect_text(difference)};
}

void field_table(const char* title, const FieldsPair& pair, Screen* screen) {
  std::vector<std::vector<std::string>> rows;
  std::size_t harmless = 0;
  std::size_t left_out = 0;
  for (const FieldDifference& difference : pair.fields) {
    if (difference.effect == FieldEffect::nothing) {
      ++harmless;
    } else if (rows.size() == kFields && !screen->all()) {
      ++left_out;
    } else {
      rows.push_back(field_row(difference));
    }
  }
  if (!rows.empty()) {
    screen->blank();
    screen->table(Screen::kIndent,
                  {{.title = title, .give = Column::Give::elide},
                   {.title = pair.a, .give = Column::Give::wrap},
                   {.title = pair.b, .give = Column::Give::wrap},
                   {.title = "what it can do", .give = Column::Give::wrap}},
                  rows);
  }
  if (left_out > 0) screen->line(Screen::kIndent, and_more(left_out));
  if (harmless > 0) {
    screen->row(title, fmt::format("{} and {} differ in {} without effect", pair.a, pair.b,
                                   quantity(harmless, "field")));
  }
}

// "A = B, C": the subjects whose fields agree with A's.
void equal_row(const char* title, const std::vector<FieldsPair>& pairs, Screen* screen) {
  std::string relation;
  for (const FieldsPair& pair : pairs) {
    if (!pair.fields.empty()) continue;
    relation += (relation.empty() ? pair.a : "") + " = " + pair.b;
  }
  if (!relation.empty()) screen->row(title, relation);
}

}  // namespace

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return json_text(value);
}

void fields_section(const Report& report, Screen* screen) {
  equal_row("config", report.config, screen);
  const bool audio = std::ranges::any_of(report.preprocessing, &FieldsPair::of_audio);
  const char* input = audio ? "audio" : "images";
  equal_row(input, report.preprocessing, screen);
  for (const FieldsPair& pair : report.config) field_table("config", pair, screen);
  for (const FieldsPair& pair : report.preprocessing) field_table(input, pair, screen);
}

}  // namespace samebits
