#include "samebits/run/module_checks.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "samebits/family/activations.h"

namespace samebits {
namespace {

void add_deviation(Deviations* found, const std::string& place, const char* attribute,
                   Json expected, Json value, std::string what) {
  found->push_back({place, attribute, std::move(expected), std::move(value), std::move(what)});
}

}  // namespace

std::string_view last_name(std::string_view path) { return path.substr(path.rfind('.') + 1); }

Json plain_attribute(const ModuleRecord& module, const char* name) {
  return module.hyper.is_object() && module.hyper.contains(name) ? module.hyper[name] : Json();
}

std::string attribute_value_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : short_json(value);
}

std::string activation_of(const ModuleRecord& module) {
  const std::string_view type = last_name(module.class_path);
  if (module.class_path.starts_with("timm.layers.activations."))
    return type == "GELU"        ? "gelu"
           : type == "GELUTanh"  ? "gelu_pytorch_tanh"
           : type == "QuickGELU" ? "quick_gelu"
                                 : "";
  const bool is_part = module.class_path.starts_with("torch.nn.modules.") ||
                       module.class_path.starts_with("transformers.activations.");
  if (!is_part || !module.hyper.is_object()) return "";
  const auto has = [&](const std::pair<const char*, double>& number) {
    const auto found = module.hyper.find(number.first);
    return *number.first == 0 || (found != module.hyper.end() && found->is_number() &&
                                  found->get<double>() == number.second);
  };
  const auto text = [&](const char* field) {
    const auto found = module.hyper.find(field);
    return found == module.hyper.end() ? "" : attribute_value_text(*found);
  };
  if (type == "GELU") return text("approximate") == "tanh" ? "gelu_pytorch_tanh" : "gelu";
  for (const ActivationClass& known : activation_classes()) {
    if (type == known.type && text("act") == known.act && has(known.number) &&
        has(known.other_number))
      return std::string(known.name);
  }
  return "";
}

Json canonical_activation(const Json& value) {
  const auto* row =
      value.is_string() ? find_activation(value.get_ref<const std::string&>()) : nullptr;
  return row == nullptr || row->usual.empty() ? value : Json(std::string(row->usual));
}

void check_own_code(const ModuleRecord& module, const std::string& place, Deviations* found) {
  if (module.hooks > 0)
    add_deviation(
        found, place, "", 0, module.hooks,
        fmt::format("{} registered on it",
                    module.hooks == 1 ? "a hook is" : fmt::format("{} hooks are", module.hooks)));
  for (const char* function : {"forward", "activation_fn", "intermediate_act_fn", "activation"}) {
    const Json own = plain_attribute(module, function);
    if (own.is_null()) continue;
    add_deviation(found, place, "", Json(), own,
                  fmt::format("its {} is {}, and what that computes is not known", function,
                              attribute_value_text(own)));
  }
}

void check_patches(const ModuleRecord& module, const std::string& place, Deviations* found) {
  const std::string_view name = last_name(module.path);
  if (!module.class_path.ends_with("Conv2d") ||
      (name != "projection" && name != "proj" && name != "conv_proj"))
    return;
  const Json kernel = plain_attribute(module, "kernel_size");
  const Json stride = plain_attribute(module, "stride");
  if (kernel.is_array() && stride.is_array() && kernel != stride)
    add_deviation(found, place, "stride", kernel, stride,
                  fmt::format("its stride is {}, not {}", attribute_value_text(stride),
                              attribute_value_text(kernel)));
  for (const auto& [field, plain] : {std::pair("padding", 0), std::pair("dilation", 1)}) {
    const Json value = plain_attribute(module, field);
    if (value.is_array() &&
        std::ranges::any_of(value, [expected = plain](const Json& v) { return v != expected; }))
      add_deviation(found, place, field, plain, value,
                    fmt::format("its {} is {}, not {}", field, attribute_value_text(value), plain));
  }
}

}  // namespace samebits
