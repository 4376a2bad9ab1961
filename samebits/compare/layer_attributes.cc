#include "samebits/compare/layer_attributes.h"

#include <algorithm>
#include <array>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

bool is_tensor_of(const ModuleRecord& module, const std::string& name) {
  const auto has = [&](const std::vector<std::string>& names) {
    return std::ranges::find(names, name) != names.end();
  };
  return has(module.parameters) || has(module.buffers);
}

void settle_by_others(const ModuleRecord& a, const ModuleRecord& b, const std::string& name,
                      AttributeRow* row) {
  const auto both = [&](const auto& holds) { return holds(a) && holds(b); };
  const bool batch = a.class_path.starts_with("torch.nn.modules.batchnorm.");
  if (batch && name == "track_running_stats" &&
      both([](const ModuleRecord& each) { return is_tensor_of(each, "running_mean"); }))
    *row = {"", name, AttributeEffect::learning, "it says whether running statistics are updated"};
  const bool no_length_is_bound = both([](const ModuleRecord& each) {
    return each.attributes.contains("max_norm") && each.attributes["max_norm"].is_null();
  });
  if (name == "norm_type" && no_length_is_bound) row->effect = AttributeEffect::nothing;
}

bool is_own_eps(const Checkpoint& checkpoint, const ModuleRecord& module, const Json& left,
                const Json& right) {
  constexpr double kOfFloat32 = 0x1p-23;
  if (module.class_path != "torch.nn.modules.normalization.RMSNorm") return false;
  const Json& said = left.is_null() ? right : left;
  if (left.is_null() == right.is_null() || said != kOfFloat32) return false;
  const auto& entries = checkpoint.entries;
  const auto found =
      std::ranges::find(entries, join_path(module.path, "weight"), &StoredTensor::name);
  return found != entries.end() && found->view.dtype() == DType::float32;
}

bool is_one_padding(const ModuleRecord& a, const ModuleRecord& b) {
  constexpr const char* kMeaning = "_reversed_padding_repeated_twice";
  if (!a.attributes.contains(kMeaning) || !b.attributes.contains(kMeaning)) return false;
  const Json& meaning = a.attributes[kMeaning];
  if (meaning != b.attributes[kMeaning]) return false;
  return std::ranges::all_of(std::array{&a, &b}, [&](const ModuleRecord* module) {
    const Json& padding = module->attributes["padding"];
    if (padding.is_string()) return true;
    Json repeated = Json::array();
    for (std::size_t i = padding.is_array() ? padding.size() : 0; i-- > 0;) {
      repeated.push_back(padding[i]);
      repeated.push_back(padding[i]);
    }
    return repeated == meaning;
  });
}

}  // namespace samebits
