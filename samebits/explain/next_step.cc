#include "samebits/explain/next_step.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/torch_runs.h"

namespace samebits {
namespace {

constexpr const char* kBoth = "samebits.explain_live(a, b, inputs), which runs both in PyTorch";

/// "LlamaForCausalLM" of config.json, or the class that finds it.
std::string class_of(const Checkpoint& checkpoint) {
  const auto classes = checkpoint.config.find("architectures");
  if (classes == checkpoint.config.end() || !classes->is_array() || classes->empty() ||
      !(*classes)[0].is_string())
    return "AutoModel";
  return (*classes)[0].get<std::string>();
}

bool is_pretrained(const Subject& subject) {
  return subject.checkpoint->kind == CheckpointKind::hf_directory &&
         !subject.checkpoint->model_type.empty() && !subject.checkpoint->adapter.is_object();
}

bool is_kind(const Subject& subject, CheckpointKind kind) {
  return subject.checkpoint->kind == kind;
}

/// How each of them is loaded.
std::string load_text(const Report& report) {
  const auto& subjects = report.subjects;
  const auto all = [&](const auto& test) { return std::ranges::all_of(subjects, test); };
  if (all(is_pretrained)) {
    const std::string first = class_of(*subjects[0].checkpoint);
    const bool one_class =
        all([&](const Subject& subject) { return class_of(*subject.checkpoint) == first; });
    return one_class ? fmt::format("load each by {}.from_pretrained(path)", first)
                     : "load each by from_pretrained(path) of its class";
  }
  if (all([](const Subject& subject) { return is_kind(subject, CheckpointKind::whole_module); }))
    return "load each by torch.load(path, weights_only=False), if you trust who wrote them";
  return "build the class of each and load its weights with strict=True";
}

}  // namespace

std::string next_step(const Report& report) {
  const bool any_absent = std::ranges::any_of(report.subjects, [](const Subject& subject) {
    return !has_weights(subject) || subject.checkpoint->kind == CheckpointKind::trace;
  });
  if (any_absent || report.subjects.size() < 2) return "";
  if (torch_may_run(report)) return "samebits explain --with torch runs them in PyTorch";
  return fmt::format("To settle it in Python, {}, and give {} to {}", load_text(report),
                     report.subjects.size() > 2 ? "A and one other" : "both", kBoth);
}

}  // namespace samebits
