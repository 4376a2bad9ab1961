#include "samebits/train/learning_groups.h"

#include <map>
#include <utility>

namespace samebits {
namespace {

constexpr int kNotSeen = -2;
constexpr int kFrozen = -1;

Error other_groups(const std::string& what, const std::string& name) {
  return {.code = ErrorCode::inconsistent, .what = "the optimizer's groups: " + name + " " + what};
}

/// Of `blocks` + 2 layers.
std::size_t layer_of(const std::string& role, std::size_t blocks) {
  if (role.find("decoder:") != std::string::npos) return blocks + 1;
  for (const char* token : {"cls_token", "distillation_token", "register_tokens", "positions"}) {
    if (role == token) return 0;
  }
  if (role.starts_with("patches.")) return 0;
  const bool in_block = role[0] >= '0' && role[0] <= '9';
  return in_block ? std::stoul(role) + 1 : blocks + 1;
}

double rate_of_layer(double decay, std::size_t behind) {
  return decay == 1 ? 1 : power(decay, behind);
}

std::optional<std::vector<std::string>> names_of(const Json& json) {
  const auto at = json.find("names");
  if (at == json.end() || !at->is_array()) return std::nullopt;
  std::vector<std::string> names;
  for (const Json& name : *at) {
    if (!name.is_string()) return std::nullopt;
    names.push_back(name.get<std::string>());
  }
  return names;
}

std::optional<LearningGroup> group_from_json(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  for (const char* field : {"lr", "beta1", "beta2", "eps", "weight_decay"}) {
    if (!json.contains(field) || !json[field].is_number()) return std::nullopt;
  }
  if (!json.contains("steps_before") || !json["steps_before"].is_number_integer())
    return std::nullopt;
  auto names = names_of(json);
  if (!names) return std::nullopt;
  return LearningGroup{.lr = json["lr"].get<double>(),
                       .adamw = {.beta1 = json["beta1"].get<double>(),
                                 .beta2 = json["beta2"].get<double>(),
                                 .eps = json["eps"].get<double>(),
                                 .weight_decay = json["weight_decay"].get<double>()},
                       .steps_before = json["steps_before"].get<std::int64_t>(),
                       .names = *std::move(names)};
}

}  // namespace

std::vector<LearningGroup> usual_groups(const TrainOptions& options, TrainedModel& trained) {
  const std::size_t blocks = trained.model.weights().blocks.size();
  const std::vector<WeightSlot> slots = weight_slots(trained.model.weights());
  std::map<std::pair<std::size_t, bool>, LearningGroup>
      groups;  // by layer, and whether it is still
  for (const StoredWeight& weight : trained.weights) {
    if (!weight.learns) continue;
    const std::size_t layer = options.layer_decay == 1 ? blocks + 1 : layer_of(weight.role, blocks);
    const bool still = !options.decay_all && TrainedModel::is_norm_or_bias(slots[weight.slot]);
    LearningGroup& group = groups[{layer, still}];
    group.lr = options.lr * rate_of_layer(options.layer_decay, blocks + 1 - layer);
    group.adamw = options.adamw;
    if (still) group.adamw.weight_decay = 0;
    group.names.push_back(weight.name);
  }
  std::vector<LearningGroup> all;
  for (auto& [key, group] : groups) all.push_back(std::move(group));
  return all;
}

Result<std::vector<int>> assign_groups(const std::vector<LearningGroup>& groups,
                                       TrainedModel& trained) {
  std::map<std::string, int> by_name;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const std::string& name : groups[i].names) {
      if (!by_name.emplace(name, static_cast<int>(i)).second)
        return fail(other_groups("stands in two of them", name));
    }
  }
  std::vector<int> of_slots(weight_slots(trained.model.weights()).size(), kNotSeen);
  for (StoredWeight& weight : trained.weights) {
    const auto found = by_name.find(weight.name);
    const int group = found == by_name.end() ? kFrozen : found->second;
    weight.learns = group != kFrozen;
    int& of_slot = of_slots[weight.slot];
    if (of_slot != kNotSeen && of_slot != group)
      return fail({.code = ErrorCode::unsupported,
                   .what = "the optimizer moves query, key and value of a block in different "
                           "groups, which is not covered: " +
                           weight.name});
    of_slot = group;
    if (group != kFrozen) by_name.erase(found);
  }
  if (!by_name.empty())
    return fail(other_groups("is no weight of the model", by_name.begin()->first));
  for (int& group : of_slots) group = std::max(group, kFrozen);  // a bias that is not stored
  return of_slots;
}

Json groups_json(const std::vector<LearningGroup>& groups) {
  Json all = Json::array();
  for (const LearningGroup& group : groups)
    all.push_back({{"lr", group.lr},
                   {"beta1", group.adamw.beta1},
                   {"beta2", group.adamw.beta2},
                   {"eps", group.adamw.eps},
                   {"weight_decay", group.adamw.weight_decay},
                   {"steps_before", group.steps_before},
                   {"names", group.names}});
  return all;
}

Result<std::vector<LearningGroup>> groups_from_json(const Json& json, const std::string& file) {
  std::vector<LearningGroup> groups;
  for (const Json& each : json.is_array() ? json : Json::array({Json()})) {
    auto group = group_from_json(each);
    if (!group)
      return fail({.code = ErrorCode::malformed,
                   .what = "the groups of the optimizer cannot be read",
                   .file = file});
    groups.push_back(*std::move(group));
  }
  return groups;
}

}  // namespace samebits
