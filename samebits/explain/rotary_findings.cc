#include "samebits/explain/rotary_findings.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"
#include "samebits/family/rotary_fields.h"
#include "samebits/family/word_list.h"

namespace samebits {
namespace {

/// A field of one config, or of a part of it.
struct RotaryValue {
  std::string name;  // "text_config.rope_theta"
  Json stated;       // in rope_parameters
  Json taken;        // by transformers 4
};

/// What rope_parameters say beside a base and a share of heads; null where that is nothing.
Json scaling_of(const Json& rope) {
  Json scaling = rope;
  for (const char* name : {"rope_theta", "partial_rotary_factor"}) scaling.erase(name);
  const auto old = scaling.find("type");
  if (old != scaling.end()) {
    if (!scaling.contains("rope_type")) scaling["rope_type"] = *old;
    scaling.erase("type");
  }
  const Json kind = scaling.value("rope_type", Json("default"));
  const bool says_nothing = scaling.size() <= 1 && (kind == "default" || kind == "axial");
  return says_nothing ? Json() : scaling;
}

bool is_same_scaling(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object()) return a == b;
  if (a.size() != b.size()) return false;
  for (const auto& [name, value] : a.items())
    if (!b.contains(name) || b[name] != value) return false;
  return true;
}

std::optional<RotaryValue> rotary_value(const RotaryField& row, const Json& config,
                                        const Json& rope) {
  const Json* holder = &rope;
  if (!row.layers.empty()) {
    const auto layers = rope.find(row.layers);
    if (layers == rope.end() || !layers->is_object()) return std::nullopt;
    holder = &*layers;
  }
  RotaryValue value{.name = std::string(row.name)};
  if (row.key.empty()) {
    value.stated = scaling_of(*holder);
  } else {
    const auto found = holder->find(row.key);
    if (found == holder->end() || !found->is_number()) return std::nullopt;
    value.stated = *found;
  }
  const auto beside = config.find(row.name);
  const bool is_beside = beside != config.end() && !beside->is_null();
  value.taken = is_beside ? *beside : Json::parse(row.fallback);
  if (row.key.empty() && is_beside && beside->is_object()) value.taken = scaling_of(*beside);
  return value;
}

/// All that 4 would have to read elsewhere; empty where it takes the same of all.
std::vector<RotaryValue> unread_values(const Json& config) {
  const auto rope = config.find("rope_parameters");
  const auto type = config.find("model_type");
  if (rope == config.end() || !rope->is_object() || type == config.end() || !type->is_string())
    return {};
  std::vector<RotaryValue> values;
  bool differs = false;
  for (const RotaryField& row : rotary_field_rows()) {
    if (!lists_word(row.types, type->get_ref<const std::string&>())) continue;
    auto value = rotary_value(row, config, *rope);
    if (!value) continue;
    differs |= !is_same_scaling(value->stated, value->taken);
    values.push_back(std::move(*value));
  }
  if (!differs) values.clear();
  return values;
}

/// Of a config and the configs inside of it.
std::vector<RotaryValue> unread_rotary(const Json& config) {
  if (!config.is_object() || config.contains("auto_map")) return {};
  std::vector<RotaryValue> found = unread_values(config);
  for (const auto& [part, value] : config.items()) {
    if (!value.is_object()) continue;
    for (RotaryValue& each : unread_values(value)) {
      each.name = part + "." + each.name;
      found.push_back(std::move(each));
    }
  }
  return found;
}

std::vector<RotaryValue> unread_rotary(const Subject& subject) {
  if (!subject.checkpoint || subject.checkpoint->kind != CheckpointKind::hf_directory) return {};
  return unread_rotary(subject.checkpoint->config);
}

void add_unread(Report& report, const Subject& subject, const std::vector<RotaryValue>& values) {
  Finding finding{.cause = "code.version",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  Json unread = Json::object();
  std::vector<std::string> fields;
  std::string first;
  for (const RotaryValue& value : values) {
    if (!value.stated.is_null())
      fields.push_back(fmt::format("\"{}\": {}", value.name.substr(value.name.rfind('.') + 1),
                                   json_text(value.stated)));
    if (is_same_scaling(value.stated, value.taken)) continue;
    unread[value.name] = Json::array({value.stated, value.taken});
    if (first.empty()) first = value.name;
    finding.details.push_back(fmt::format("{}: rope_parameters say {}, and 4.57.6 takes {}",
                                          value.name, json_text(value.stated),
                                          json_text(value.taken)));
  }
  finding.summary = fmt::format(
      "transformers 4 does not read rope_parameters of {}, and turns its rotary embeddings by "
      "other angles: {}",
      subject.label,
      unread.size() == 1 ? first + " differs"
                         : counted(unread.size(), "field", "differs", "differ"));
  finding.evidence = {{"unread", std::move(unread)}};
  const std::size_t dot = values[0].name.rfind('.');
  finding.remedy = fmt::format(
      "Load it in transformers 5, or write beside rope_parameters in {}config.json, where 4 "
      "looks: {}",
      dot == std::string::npos ? "" : values[0].name.substr(0, dot) + " of ",
      fmt::join(fields, ", "));
  add_finding(report, std::move(finding));
}

/// Whether 5 wrote it, or a part of it: then what differs is said of the fields.
bool has_rope_parameters(const Subject& subject) {
  const Json& config = subject.checkpoint->config;
  if (!config.is_object()) return false;
  return config.contains("rope_parameters") || std::ranges::any_of(config, [](const Json& part) {
           return part.is_object() && part.contains("rope_parameters");
         });
}

}  // namespace

void find_unread_rotary(Report& report, const Subject& subject) {
  if (!report.for_transformers_4) return;
  const auto values = unread_rotary(subject);
  if (!values.empty()) add_unread(report, subject, values);
}

void find_unread_rotary_of_pair(Report& report, const Subject& a, const Subject& b) {
  const auto left = unread_rotary(a);
  const auto right = unread_rotary(b);
  if (left.empty() && !right.empty() && !has_rope_parameters(a)) add_unread(report, b, right);
  if (right.empty() && !left.empty() && !has_rope_parameters(b)) add_unread(report, a, left);
}

}  // namespace samebits
