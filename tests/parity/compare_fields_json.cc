// For the parity tests: how two configs or two image processors differ, one request a line.
//
// Request:  {"what": "config" | "preprocessing", "a": {...}, "b": {...}, "model_type": "vit"}
// Response: {"field": {"effect": "outputs", "why": "..."}, ...} or {"error": "..."}
#include <iostream>
#include <string>

#include "samebits/compare/config.h"

namespace {

using namespace samebits;

Json answer(const std::string& line) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
  const Result<Json> request = parse_json(bytes, "request");
  if (!request) return {{"error", to_string(request.error())}};
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
