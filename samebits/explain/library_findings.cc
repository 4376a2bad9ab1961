#include "samebits/explain/library_findings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/checkpoint/tree_view.h"
#include "samebits/compare/attribute_rows.h"
#include "samebits/explain/subjects.h"
#include "samebits/run/open_vit.h"

namespace samebits {
namespace {

/// "timm" of a class of timm's models; "" for what is no model.
std::string_view model_library(std::string_view class_path) {
  for (const std::string_view library : {"timm", "torchvision", "transformers"}) {
    if (class_path.starts_with(library) && class_path.substr(library.size()).starts_with('.'))
      return library;
  }
  return "";
}

/// What the modules of one side say, as texts.
using Stated = std::map<std::string, std::set<std::string>>;

Json stated(const ModuleRecord& module, const char* name) {
  return module.attributes.is_object() && module.attributes.contains(name) ? module.attributes[name]
                                                                           : Json();
}

/// "GELU", "GELU tanh": one function whichever library's class stands for it.
std::string activation_text(const ModuleRecord& module) {
  const std::string_view path = module.class_path;
  if (!path.starts_with("torch.nn.modules.activation.") &&
      !path.starts_with("transformers.activations.") && !path.starts_with("timm.layers.activation"))
    return "";
  std::string name = short_name(module.class_path);
  if (name == "MultiheadAttention" || name == "Softmax") return "";
  if (name.ends_with("Activation")) name.resize(name.size() - std::string("Activation").size());
  const Json approximate = stated(module, "approximate");
  if (approximate.is_string() && approximate != "none")
    name += " " + approximate.get<std::string>();
  return name;
}

/// torchvision's models take the class token; transformers' classes and timm's say what they take.
std::string pooling_of(const ModuleRecord& root) {
  const Json pool = stated(root, "global_pool");
  return pool.is_string() && !pool.get_ref<const std::string&>().empty() ? pool.get<std::string>()
                                                                         : "token";
}

/// Nothing where a module is no library's, or a hook or a function stands in for its code.
std::optional<Stated> stated_by(const Checkpoint& checkpoint) {
  Stated found;
  for (const ModuleRecord& module : checkpoint.modules) {
    if (!is_library_class(module.class_path) || module.hooks > 0 ||
        !stated(module, "forward").is_null())
      return std::nullopt;
    for (const char* name : {"num_heads", "num_attention_heads"}) {
      if (const Json heads = stated(module, name); heads.is_number())
        found["num_heads"].insert(json_text(heads));
    }
    if (short_name(module.class_path).ends_with("LayerNorm"))
      found["eps"].insert(json_text(stated(module, "eps")));
    if (std::string text = activation_text(module); !text.empty())
      found["activation"].insert(std::move(text));
    if (short_name(module.class_path) == "Conv2d") {
      for (const char* name : {"stride", "padding", "dilation"})
        found[std::string("patches.") + name].insert(json_text(stated(module, name)));
    }
  }
  found["pooling"].insert(pooling_of(checkpoint.modules[0]));
  return found;
}

bool is_vit(const Checkpoint& checkpoint) {
  if (checkpoint.modules.empty() || !checkpoint.has_weights()) return false;
  const auto found = recognize_vit(checkpoint, checkpoint.config);
  return found && found->absent == 0 && found->inconsistent == 0;
}

Finding library_finding(const Subject& a, const Subject& b, const char* cause, Role role) {
  return {.cause = cause,
          .role = role,
          .proof = Proof::observed,
          .subjects = {a.label, b.label},
          .evidence = Json::object()};
}

}  // namespace

bool find_library_changes(Report& report, const Subject& a, const Subject& b) {
  const Checkpoint& left = *a.checkpoint;
  const Checkpoint& right = *b.checkpoint;
  if (left.modules.empty() || right.modules.empty()) return false;
  const std::string_view library_a = model_library(left.modules[0].class_path);
  const std::string_view library_b = model_library(right.modules[0].class_path);
  if (library_a.empty() || library_b.empty() || library_a == library_b) return false;
  if (!is_vit(left) || !is_vit(right)) return false;
  const auto of_a = stated_by(left);
  const auto of_b = stated_by(right);
  if (!of_a || !of_b) return false;
  Json fields = Json::object();
  std::vector<std::string> lines;
  for (const auto& [name, values] : *of_a) {
    const auto other = of_b->find(name);
    if (other == of_b->end() || other->second == values) continue;
    fields[name] = Json::array({values, other->second});
    lines.push_back(fmt::format("{}: {} in {}, {} in {}", name, fmt::join(values, " and "), a.label,
                                fmt::join(other->second, " and "), b.label));
  }
  const bool differ = !fields.empty();
  Finding finding = library_finding(a, b, differ ? "config.changed" : "code.version",
                                    differ ? Role::cause : Role::note);
  finding.details = std::move(lines);
  if (differ) {
    finding.summary =
        fmt::format("the modules of {} and {} compute something else", a.label, b.label);
    finding.evidence["fields"] = std::move(fields);
    finding.remedy =
        "Build both models with the values that were meant, and load the weights into them";
  } else {
    finding.summary = fmt::format(
        "{} is a ViT of {}, {} one of {}: heads, eps, activation and pooling are the same", a.label,
        library_a, b.label, library_b);
    finding.details.emplace_back("their code was not compared, and rounds in other places");
    finding.evidence["classes"] =
        Json::array({left.modules[0].class_path, right.modules[0].class_path});
  }
  add_finding(report, std::move(finding));
  return true;
}

}  // namespace samebits
