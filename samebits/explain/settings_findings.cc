#include "samebits/explain/settings_findings.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "samebits/base/mapped_file.h"
#include "samebits/compare/field_map.h"
#include "samebits/explain/context_findings.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr auto kSettings = std::to_array<std::string_view>(
    {"open_clip_config.json", "sentence_bert_config.json", "params.json", "config.yaml",
     "hparams.yaml", "hyperparams.yaml"});

FieldJudgement judge_setting(const std::string& file, const std::string& field) {
  if (file == "open_clip_config.json" && field.starts_with("model_cfg"))
    return {FieldEffect::outputs, "open_clip builds the model by it"};
  if (file == "open_clip_config.json" && field.starts_with("preprocess_cfg"))
    return {FieldEffect::input, "open_clip prepares images by it"};
  if (file == "sentence_bert_config.json" && field == "max_seq_length")
    return {FieldEffect::input, "longer texts are cut there"};
  if (file == "sentence_bert_config.json" && field == "do_lower_case")
    return {FieldEffect::input, "texts are put in lower case, or not"};
  return {};
}

struct SettingsPair {
  std::shared_ptr<const MappedFile> a, b;
};

/// Nothing where one of the directories has no such file, or both have the same.
std::optional<SettingsPair> open_pair(const Subject& a, const Subject& b, const std::string& name) {
  auto left = MappedFile::open(a.checkpoint->path + "/" + name);
  auto right = MappedFile::open(b.checkpoint->path + "/" + name);
  if (!left || !right || std::ranges::equal((*left)->bytes(), (*right)->bytes()))
    return std::nullopt;
  return SettingsPair{*std::move(left), *std::move(right)};
}

void add_unread(Report& report, const Subject& a, const Subject& b, const std::string& name) {
  Finding finding{.cause = "config.changed",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary = fmt::format("{} differs, {}", name, kMeaningNotKnown);
  finding.evidence = {{"fields", Json::object()}};
  finding.remedy = "Compare the two files by hand: diff says where they differ";
  add_finding(report, std::move(finding));
}

std::vector<FieldDifference> of_effect(std::vector<FieldDifference> fields, FieldEffect effect) {
  std::erase_if(fields, [&](const FieldDifference& field) { return field.effect != effect; });
  return fields;
}

void compare_json(Report& report, const Subject& a, const Subject& b, const std::string& name,
                  const SettingsPair& pair) {
  const Result<Json> left = parse_json(pair.a->bytes(), a.checkpoint->path + "/" + name);
  const Result<Json> right = parse_json(pair.b->bytes(), b.checkpoint->path + "/" + name);
  if (!left || !right || !left->is_object() || !right->is_object())
    return add_unread(report, a, b, name);
  const std::vector<FieldDifference> fields =
      compare_fields(fields_of(*left), fields_of(*right),
                     [&](const std::string& field) { return judge_setting(name, field); });
  const auto differ = [&](const std::vector<FieldDifference>& some, std::string_view what) {
    return fmt::format("{} of {} {}, {}", counted(some.size(), "field"), name,
                       some.size() == 1 ? "differs" : "differ", what);
  };
  const auto outputs = of_effect(fields, FieldEffect::outputs);
  const auto inputs = of_effect(fields, FieldEffect::input);
  const auto unknown = of_effect(fields, FieldEffect::unknown);
  add_fields(report, "config.changed", Role::cause, a, b, outputs,
             differ(outputs, "and the model is built by it"),
             "Give both models the same settings; those that were meant are in the file that the "
             "training wrote");
  add_fields(report, "input.preprocessing",
             report.command == "diff" ? Role::contributes : Role::risk, a, b, inputs,
             differ(inputs, "and inputs are prepared by it"),
             "Prepare the inputs of both by one file");
  add_fields(report, "config.changed", Role::contributes, a, b, unknown,
             differ(unknown, kMeaningNotKnown),
             "Look the fields up in the library that reads them");
}

}  // namespace

bool is_settings_file(std::string_view name) {
  return std::ranges::find(kSettings, name) != kSettings.end();
}

void find_settings_changes(Report& report, const Subject& a, const Subject& b) {
  if (a.checkpoint->kind != CheckpointKind::hf_directory ||
      b.checkpoint->kind != CheckpointKind::hf_directory)
    return;
  for (const std::string_view each : kSettings) {
    const std::string name(each);
    const auto pair = open_pair(a, b, name);
    if (!pair) continue;
    name.ends_with(".json") ? compare_json(report, a, b, name, *pair)
                            : add_unread(report, a, b, name);
  }
}

}  // namespace samebits
