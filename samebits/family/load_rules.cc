#include "samebits/family/load_rules.h"

#include <array>

namespace samebits::model {
namespace {

constexpr std::array kVitRules = {
    LoadRule{R"(encoder\.layer\.)", "layers."},
    LoadRule{"attention.query", "q_proj"},
    LoadRule{"attention.key", "k_proj"},
    LoadRule{"attention.value", "v_proj"},
    LoadRule{"attention.output.dense", "attention.o_proj"},
    LoadRule{"intermediate.dense", "mlp.fc1"},
    LoadRule{"output.dense", "mlp.fc2"},
};
/// ViTMAEForPreTraining's own, before those of the ViTMAEModel inside it.
constexpr std::array kMaeRules = {
    LoadRule{"attention.query", "q_proj"},
    LoadRule{"attention.key", "k_proj"},
    LoadRule{"attention.value", "v_proj"},
    LoadRule{"attention.output.dense", "attention.o_proj"},
    LoadRule{"intermediate.dense", "mlp.fc1"},
    LoadRule{"output.dense", "mlp.fc2"},
};
constexpr std::array kDinov2Rules = {
    LoadRule{"attention.attention.query", "attention.q_proj"},
    LoadRule{"attention.attention.key", "attention.k_proj"},
    LoadRule{"attention.attention.value", "attention.v_proj"},
    LoadRule{"attention.output.dense", "attention.o_proj"},
    LoadRule{"mlp.weights_in.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight"},
    LoadRule{"mlp.weights_in.bias", "mlp.gate_proj.bias", "mlp.up_proj.bias"},
    LoadRule{"mlp.weights_out", "mlp.down_proj"},
};
constexpr std::array kLegacyRules = {
    LoadRule{"LayerNorm.gamma", "LayerNorm.weight"},
    LoadRule{"LayerNorm.beta", "LayerNorm.bias"},
    LoadRule{".weight_g", ".parametrizations.weight.original0"},
    LoadRule{".weight_v", ".parametrizations.weight.original1"},
    LoadRule{R"(^model\.language_model\.model)", "model.language_model"},
    LoadRule{R"(^language_model\.model\.model)", "model.language_model"},
};

/// Rules of one class, in front of those of its naming.
struct OwnRules {
  std::string_view class_name;
  std::span<const LoadRule> rules;
};
constexpr std::array kOwnRules = {OwnRules{"ViTMAEForPreTraining", kMaeRules}};

constexpr std::array kOldEndings4 = {OldName{"LayerNorm.beta", "LayerNorm.bias"},
                                     OldName{"LayerNorm.gamma", "LayerNorm.weight"},
                                     OldName{"weight_g", "parametrizations.weight.original0"},
                                     OldName{"weight_v", "parametrizations.weight.original1"}};
constexpr std::array kOldPartsTorchvision = {OldName{".mlp.linear_1.", ".mlp.0."},
                                             OldName{".mlp.linear_2.", ".mlp.3."}};

}  // namespace

std::vector<LoadRule> rules_of(const ModelClass& model_class, bool legacy) {
  std::vector<LoadRule> rules;
  const auto add = [&](const auto& more) { rules.insert(rules.end(), more.begin(), more.end()); };
  for (const OwnRules& own : kOwnRules)
    if (own.class_name == model_class.name) add(own.rules);
  if (model_class.naming == Naming::vit) add(kVitRules);
  if (model_class.naming == Naming::dinov2) add(kDinov2Rules);
  if (legacy) add(kLegacyRules);
  return rules;
}

std::span<const OldName> old_endings_4() { return kOldEndings4; }
std::span<const OldName> old_parts_torchvision() { return kOldPartsTorchvision; }

}  // namespace samebits::model
