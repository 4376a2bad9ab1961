#include "samebits/family/activations.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace samebits {
namespace {

constexpr ActivationName kActivationNames[] = {{"gelu", Activation::gelu},
                                               {"gelu_python", Activation::gelu, false, "gelu"},
                                               {"gelu_new", Activation::gelu_tanh},
                                               {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                               {"gelu_python_tanh", Activation::gelu_tanh, false},
                                               {"quick_gelu", Activation::quick_gelu},
                                               {"silu", Activation::silu},
                                               {"swish", Activation::silu, true, "silu"},
                                               {"relu", Activation::relu}};

constexpr std::string_view kOtherNames[] = {
    "gelu_10", "gelu_accurate", "gelu_fast", "laplace", "leaky_relu", "linear", "mish",
    "prelu",   "relu2",         "relu6",     "sigmoid", "tanh",       "xielu"};
constexpr std::string_view kNamesOf5[] = {"hardswish", "sqrtsoftplus"};

constexpr ActivationClass kActivationClasses[] = {
    {"GELUActivation", "gelu", "torch._C._nn.gelu"},
    {"GELUActivation", "gelu", "torch.nn.functional.gelu"},
    {"GELUActivation", "gelu_python",
     "getattr(transformers.activations.GELUActivation, \"_gelu_python\")"},
    {"GELUTanh", "gelu_pytorch_tanh", "functools.partial(torch._C._nn.gelu, approximate=\"tanh\")"},
    {"GELUTanh", "gelu_python_tanh",
     "getattr(transformers.activations.GELUTanh, \"_gelu_tanh_python\")"},
    {"PytorchGELUTanh", "gelu_pytorch_tanh"},
    {"ClippedGELUActivation", "gelu_10", "", {"min", -10}, {"max", 10}},
    {"FastGELUActivation", "gelu_fast"},
    {"NewGELUActivation", "gelu_new"},
    {"AccurateGELUActivation", "gelu_accurate", "", {"precomputed_constant", 0.7978845608028654}},
    {"QuickGELUActivation", "quick_gelu"},
    {"LaplaceActivation", "laplace"},
    {"LinearActivation", "linear"},
    {"MishActivation", "mish", "torch.nn.functional.mish"},
    {"ReLUSquaredActivation", "relu2"},
    {"SiLUActivation", "silu"},
    {"SqrtSoftplusActivation", "sqrtsoftplus"},
    {"Hardswish", "hardswish"},
    {"LeakyReLU", "leaky_relu", "", {"negative_slope", 0.01}},
    {"ReLU", "relu"},
    {"ReLU6", "relu6", "", {"min_val", 0}, {"max_val", 6}},
    {"SiLU", "silu"},
    {"Sigmoid", "sigmoid"},
    {"Tanh", "tanh"}};

constexpr std::pair<std::string_view, const char*> kUsualClasses[] = {
    {"classifier", "Linear"},
    {"cls_classifier", "Linear"},
    {"distillation_classifier", "Linear"},
    {"q_proj", "Linear"},
    {"k_proj", "Linear"},
    {"v_proj", "Linear"},
    {"o_proj", "Linear"},
    {"query", "Linear"},
    {"key", "Linear"},
    {"value", "Linear"},
    {"dense", "Linear"},
    {"fc1", "Linear"},
    {"fc2", "Linear"},
    {"weights_in", "Linear"},
    {"weights_out", "Linear"},
    {"decoder_embed", "Linear"},
    {"decoder_pred", "Linear"},
    {"layernorm", "LayerNorm"},
    {"layernorm_before", "LayerNorm"},
    {"layernorm_after", "LayerNorm"},
    {"norm1", "LayerNorm"},
    {"norm2", "LayerNorm"},
    {"decoder_norm", "LayerNorm"},
    {"layer_scale1", "LayerScale"},
    {"layer_scale2", "LayerScale"},
    {"projection", "Conv2d"},
    {"dropout", "Dropout"}};

}  // namespace

const ActivationName* find_activation(std::string_view name) {
  const auto found = std::ranges::find(kActivationNames, name, &ActivationName::name);
  return found == std::end(kActivationNames) ? nullptr : found;
}

bool has_activation(model::Library library, std::string_view name) {
  if (find_activation(name) != nullptr || std::ranges::count(kOtherNames, name) > 0) return true;
  return library == model::Library::transformers5 && std::ranges::count(kNamesOf5, name) > 0;
}

std::string run_activation_names() {
  std::vector<std::string_view> names;
  for (const ActivationName& each : kActivationNames) {
    if (each.is_run) names.push_back(each.name);
  }
  const std::string_view last = names.back();
  names.pop_back();
  return fmt::format("{} or {}", fmt::join(names, ", "), last);
}

std::span<const ActivationClass> activation_classes() { return kActivationClasses; }

const char* usual_class(std::string_view module) {
  const auto found =
      std::ranges::find(kUsualClasses, module, &std::pair<std::string_view, const char*>::first);
  return found == std::end(kUsualClasses) ? nullptr : found->second;
}

}  // namespace samebits
