// For the parity tests: how two configs or two image processors differ, one request a line.
//
// Request:  {"what": "config" | "preprocessing", "a": {...}, "b": {...}, "model_type": "vit"}
// Response: {"field": {"effect": "outputs", "why": "..."}, ...} or {"error": "..."}
//
// Request:  {"what": "tables"}
// Response: {"fields": [[types, name, effect, why]], "names": [[alias, name, types]],
//            "defaults": [[field, JSON, types, version]], "derived": [[field, from, factor,
//            types]]}
#include <iostream>
#include <string>

#include "samebits/compare/config.h"
#include "samebits/family/attribute_names.h"
#include "samebits/family/class_defaults.h"

namespace {

using namespace samebits;

Json tables() {
  Json all = {{"fields", Json::array()},
              {"names", Json::array()},
              {"defaults", Json::array()},
              {"derived", Json::array()}};
  for (const ConfigField& row : config_field_rows())
    all["fields"].push_back({row.models, row.name, field_effect_name(row.effect), row.why});
  for (const AttributeName& row : attribute_name_rows())
    all["names"].push_back({row.alias, row.name, row.types});
  for (const ClassDefault& row : class_default_rows())
    all["defaults"].push_back({row.field, row.fallback, row.types,
                               row.version == 0 ? std::string() : std::string(1, row.version)});
  for (const DerivedDefault& row : derived_default_rows())
    all["derived"].push_back({row.field, row.from, row.factor, row.types});
  return all;
}

Json answer(const std::string& line) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
  const Result<Json> request = parse_json(bytes, "request");
  if (!request) return {{"error", to_string(request.error())}};
  if (request->at("what") == "tables") return tables();
  const Json& a = request->at("a");
  const Json& b = request->at("b");
  const auto differences = request->at("what") == "config"
                               ? compare_configs(a, b, request->value("model_type", ""))
                               : compare_preprocessing(a, b);
  Json response = Json::object();
  for (const FieldDifference& difference : differences)
    response[difference.field] = {{"effect", field_effect_name(difference.effect)},
                                  {"why", difference.why}};
  return response;
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) std::cout << answer(line).dump() << std::endl;
  return 0;
}
