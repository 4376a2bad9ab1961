#include "samebits/explain/answers.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/checkpoint/progress_words.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/compare/trace.h"
#include "samebits/explain/directory_load.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/trace_diff.h"
#include "samebits/family/classes.h"
#include "samebits/quantized/forms.h"
#include "samebits/run/open_vit.h"

namespace samebits {
namespace {

const Finding* find_of(const Report& report, const char* cause, bool risk_only) {
  for (const Finding& finding : report.findings) {
    if (finding.cause == cause && (!risk_only || finding.role == Role::risk)) return &finding;
  }
  return nullptr;
}

bool has_container(const Checkpoint& checkpoint, std::initializer_list<const char*> names) {
  return std::ranges::any_of(checkpoint.files, [&](const SourceFile& file) {
    return std::ranges::any_of(names, [&](const char* name) { return file.container == name; });
  });
}

bool lies_beside(const Checkpoint& checkpoint, const char* name) {
  std::error_code error;
  return std::filesystem::is_regular_file(std::filesystem::path(checkpoint.path) / name, error);
}

/// The loader that such a file is written for, and that nothing was found to refuse it.
std::string loader_text(const Checkpoint& checkpoint) {
  if (checkpoint.adapter.is_object()) return "peft adds it to its base model, which is not here";
  switch (checkpoint.kind) {
    case CheckpointKind::hf_directory:
      if (!checkpoint.config.is_object() && lies_beside(checkpoint, "open_clip_config.json"))
        return "open_clip.create_model(\"local-dir:DIRECTORY\") loads it, by open_clip_config.json";
      if (!checkpoint.config.is_object())
        return "weights without a config.json: a class has to be named for them";
      if (checkpoint.model_type.empty() && checkpoint.config.contains("architecture"))
        return "config.json is timm's: timm.create_model(\"local-dir:DIRECTORY\") loads it, and "
               "from_pretrained of transformers through timm";
      if (checkpoint.model_type.empty())
        return "weights and a config.json without the model_type that from_pretrained wants";
      if (LoadReport load; refuse_missing_files(checkpoint, load), !load.raises.empty())
        return "from_pretrained ends with " + load.raises + ". " + load.remedy;
      if (model::find_model_type(checkpoint.model_type) == nullptr)
        return "config.json and weights are there";
      return "config.json and weights are there; samebits check says what from_pretrained would "
             "leave random";
    case CheckpointKind::safetensors: return "safetensors loads it; it holds no code";
    case CheckpointKind::numpy:
      return checkpoint.calls.empty() ? "numpy.load loads it; it holds no code"
                                      : "numpy.load loads it with allow_pickle=True";
    default: break;
  }
  if (has_container(checkpoint, {"torch-zip", "torch-legacy"}))
    return "torch.load loads it as it is called by default";
  return "";
}

std::string refused_text(const Checkpoint& checkpoint, const Finding& refused) {
  if (checkpoint.kind == CheckpointKind::torchscript) return "by torch.jit.load, not by torch.load";
  return refused.evidence.contains("globals")
             ? "not by torch.load as it is called by default; what helps stands below"
             : refused.summary;
}

std::string load_answer(const Report& report) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  if (!checkpoint.unread.empty()) return "not in full: parts of it could not be read";
  if (const Finding* damage = find_of(report, "file.incomplete", true)) return damage->summary;
  if (const Finding* refused = find_of(report, "load.refused", false))
    return refused_text(checkpoint, *refused);
  return loader_text(checkpoint);
}

/// "4 blocks of width 32" of a model whose every tensor has its place.
std::string class_text(const Checkpoint& checkpoint) {
  const auto found = recognize_vit(checkpoint, checkpoint.config);
  if (!found || found->absent > 0 || found->inconsistent > 0) return "";
  return fmt::format("{} under the names of {}: {} of width {}", found->model_class->name,
                     library_name(found->library), counted(found->fields.layers, "block"),
                     found->fields['D']);
}

/// "; 12 weights are quantized: bitsandbytes nf4, blocks of 64", or "".
std::string quantized_text(const Checkpoint& checkpoint) {
  constexpr std::size_t kMostForms = 3;
  const std::vector<FormCount> forms = count_forms(checkpoint);
  std::size_t all = 0;
  std::vector<std::string> parts;
  for (const FormCount& each : forms) {
    all += each.count;
    const std::string form = each.form.empty() ? "a form that is not read" : each.form;
    if (parts.size() < kMostForms)
      parts.push_back(forms.size() == 1 ? form : fmt::format("{} in {}", each.count, form));
  }
  if (all == 0) return "";
  if (forms.size() > kMostForms)
    parts.push_back(fmt::format("and {} more forms", forms.size() - kMostForms));
  return fmt::format("; {} quantized: {}", counted(all, "weight", "is", "are"),
                     fmt::join(parts, "; "));
}

std::string model_answer(const Checkpoint& checkpoint, bool is_trace) {
  if (is_trace)
    return fmt::format("a recorded run: {}", counted(trace_points(checkpoint).size(), "point"));
  std::string text = class_text(checkpoint);
  if (text.empty()) text = checkpoint.description;
  if (text.empty() && !checkpoint.model_type.empty())
    text = fmt::format("{}, as its config says", checkpoint.model_type);
  if (text.empty()) text = "no model that is known here by its names";
  std::set<std::string> types;
  for (const std::uint32_t index : checkpoint.weights().weights)
    types.insert(stored_type(checkpoint.entries[index]));
  const std::string of_types = types.size() == 1 ? " of " + *types.begin()
                               : types.empty()   ? ""
                                                 : fmt::format(" of {} types", types.size());
  return fmt::format("{}; {}{}{}", text, counted(checkpoint.weights().weights.size(), "tensor"),
                     of_types, quantized_text(checkpoint));
}

std::string trained_answer(const Checkpoint& checkpoint) {
  std::vector<std::string> parts;
  const auto add = [&](std::string_view name) {
    const auto found = checkpoint.training.values.find(std::string(name));
    if (found != checkpoint.training.values.end() && found->is_number())
      parts.push_back(fmt::format("{} {}", name, json_text(*found)));
  };
  std::ranges::for_each(kEpochWords, add);
  std::ranges::for_each(kStepWords, add);
  for (const OptimizerFacts& each : checkpoint.training.optimizers) {
    if (each.step) parts.push_back(fmt::format("{} after {} steps", each.place, *each.step));
  }
  if (parts.empty() && checkpoint.training.optimizer)
    return "the file does not say, but holds an optimizer's state";
  if (parts.empty()) return "the file does not say";
  if (!checkpoint.training.optimizer) parts.emplace_back("without an optimizer's state");
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string code_text(const Report& report) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  if (const Finding* calls = find_of(report, "file.calls", true)) return "no: " + calls->summary;
  if (checkpoint.program) return "it holds code of its own, which was not run";
  if (const Finding* imports = find_of(report, "file.calls", false)) return imports->summary;
  const bool makes = std::ranges::any_of(checkpoint.calls, &CallSummary::constructs);
  if (makes)
    return "loading rebuilds data and objects of its model's classes, and calls nothing else";
  return checkpoint.calls.empty() ? "it holds no code"
                                  : "loading calls nothing but what rebuilds data";
}

std::string values_text(const Report& report) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  if (const Finding* invalid = find_of(report, "weights.invalid", true)) return invalid->summary;
  if (checkpoint.entries.empty()) return "it holds no tensor";
  if (!checkpoint.read_in_depth) return "values were not read";
  const bool all = std::ranges::all_of(checkpoint.entries, &StoredTensor::readable);
  const bool checked =
      has_container(checkpoint, {"torch-zip", "npz"}) && !lacks_checksums(checkpoint);
  return fmt::format("{} no NaN or infinite value{}",
                     all ? "every tensor was read:" : "of the tensors that could be read,",
                     checked ? ", and checksums hold" : "");
}

}  // namespace

std::optional<Answers> answers_of(const Report& report) {
  const Subject& subject = report.subjects.at(0);
  if (!subject.checkpoint) return std::nullopt;
  const Checkpoint& checkpoint = *subject.checkpoint;
  const bool is_trace = is_recorded_run(subject);
  if (!checkpoint.has_weights() && !is_trace) return std::nullopt;
  Answers answers;
  answers.load = is_trace ? "samebits diff and samebits explain take it" : load_answer(report);
  answers.model = model_answer(checkpoint, is_trace);
  if (!is_trace) answers.trained = trained_answer(checkpoint);
  answers.trust = code_text(report) + "; " + values_text(report);
  return answers;
}

}  // namespace samebits
