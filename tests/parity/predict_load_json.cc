// For the parity tests: predicted loads as JSON, one request a line.
//
// Request:  {"target": "transformers-5:ViTModel", "way": "from_pretrained" | "state_dict",
//            "config": {...} | null, "tensors": [["name", [2, 3]], ...]}
// Response: {"class", "table": [["name", [2, 3]], ...], "missing", "mismatched", "unexpected",
//            "raises", "written_for_5_only", "recognized", "rules", "refits", "restored"}
//           or {"error": "..."}
#include <iostream>
#include <string>

#include "samebits/base/json.h"
#include "samebits/model/predict_load.h"

namespace {

using namespace samebits;
using namespace samebits::model;

std::vector<StoredShape> tensors_from(const Json& request) {
  std::vector<StoredShape> tensors;
  for (const Json& tensor : request.at("tensors"))
    tensors.push_back({tensor.at(0).get<std::string>(), tensor.at(1).get<Shape>()});
  return tensors;
}

void describe_repair(const LoadTarget& target, const LoadOutcome& outcome, Json& response) {
  if (target.recognition)
    response["recognized"] = std::string(library_name(target.recognition->library)) + ":" +
                             std::string(target.recognition->model_class->name);
  response["rules"] = Json::array();
  for (const RenameRule& rule : outcome.repair.rules)
    response["rules"].push_back({{"from", rule.from}, {"to", rule.to}, {"count", rule.count}});
  response["refits"] = Json::array();
  for (const Refit& refit : outcome.repair.refits)
    response["refits"].push_back({{"from", refit.from}, {"to", refit.to}, {"count", refit.count}});
  response["restored"] = outcome.repair.restored;
}

Json describe(const LoadTarget& target, const LoadOutcome& outcome) {
  Json response = {{"class", target.model_class->name},
                   {"table", Json::array()},
                   {"missing", Json::array()},
                   {"mismatched", Json::array()},
                   {"unexpected", Json::array()},
                   {"raises", outcome.raises},
                   {"written_for_5_only", outcome.written_for_5_only}};
  for (const TargetTensor& tensor : outcome.targets) {
    response["table"].push_back({tensor.spec.name, tensor.spec.shape});
    if (tensor.state == TargetState::missing) response["missing"].push_back(tensor.spec.name);
    if (tensor.state == TargetState::mismatched) response["mismatched"].push_back(tensor.spec.name);
  }
  for (const Dropped& dropped : outcome.dropped)
    for (const std::string& name : dropped.reported) response["unexpected"].push_back(name);
  describe_repair(target, outcome, response);
  return response;
}

Result<Json> answer(const std::string& line) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
  SAMEBITS_TRY(const Json request, parse_json(bytes, "request"));
  SAMEBITS_TRY(const TargetName name, parse_target(request.at("target").get<std::string>()));
  const std::vector<StoredShape> tensors = tensors_from(request);
  const Json& config = request.at("config");
  SAMEBITS_TRY(const LoadTarget target,
               make_target(name, config.is_null() ? nullptr : &config, tensors));
  const bool pretrained = request.at("way") == "from_pretrained";
  return describe(
      target, predict_load(target, tensors, pretrained ? Way::from_pretrained : Way::state_dict));
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto response = answer(line);
    std::cout << (response ? *response : Json{{"error", to_string(response.error())}}).dump()
              << std::endl;
  }
}
