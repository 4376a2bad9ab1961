#include "samebits/explain/check.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/computed_table.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/explain/directory_load.h"
#include "samebits/explain/load_blocks.h"
#include "samebits/explain/load_by_bytes.h"
#include "samebits/explain/load_codes.h"
#include "samebits/explain/load_contents.h"
#include "samebits/explain/load_exchanges.h"
#include "samebits/explain/load_forms.h"
#include "samebits/explain/load_list.h"
#include "samebits/explain/load_states.h"
#include "samebits/explain/load_ties.h"
#include "samebits/explain/load_transposes.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/trainer_resume.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

using model::LoadOutcome;
using model::TargetState;
using model::Way;

void describe_target(const model::TargetTensor& target, LoadReport& load) {
  if (target.state == TargetState::missing) load.random.push_back(target.spec.name);
  if (target.state != TargetState::mismatched) return;
  load.mismatched.push_back(target.spec.name);
  load.mismatches.push_back({target.found, target.spec.shape});
}

LoadReport load_report(const model::LoadTarget& target, const LoadOutcome& outcome) {
  LoadReport load;
  load.target =
      std::string(library_name(target.library)) + ":" + std::string(target.model_class->name);
  load.way = model::way_name(outcome.way);
  load.target_tensors = outcome.targets.size();
  load.loaded = outcome.count(TargetState::loaded);
  for (const model::TargetTensor& tensor : outcome.targets) describe_target(tensor, load);
  std::vector<std::string_view> dropped;
  for (const model::Dropped& each : outcome.dropped) dropped.push_back(each.name);
  for (const std::uint32_t i : listing_order(dropped)) load.dropped.emplace_back(dropped[i]);
  load.raises = outcome.raises;
  load.dropped_silently = outcome.dropped_notice == model::Notice::silent;
  load.silent = outcome.missing_notice == model::Notice::none
                    ? load.dropped_silently
                    : outcome.missing_notice == model::Notice::silent;
  if (!load.raises.empty()) load.silent = false;
  for (const model::RenameRule& rule : outcome.repair.rules)
    load.repair.push_back({rule.from, rule.to, rule.count});
  for (const model::Refit& refit : outcome.repair.refits)
    load.refits.push_back({refit.from, refit.to, refit.count});
  load.restored.insert(outcome.repair.restored.begin(), outcome.repair.restored.end());
  load.written_for_5_only = outcome.written_for_5_only;
  load.searched = outcome.searched;
  load.ambiguous = outcome.ambiguous;
  return load;
}

/// Factors of low-rank updates, as peft writes them, and nothing else.
bool is_adapter(const Checkpoint& checkpoint) {
  const auto& weights = checkpoint.weights().weights;
  return !weights.empty() && std::ranges::all_of(weights, [&](std::uint32_t index) {
    const std::string& name = checkpoint.entries[index].name;
    return name.find("lora_") != std::string::npos ||
           name.find("modules_to_save") != std::string::npos;
  });
}

/// What cannot be predicted from names and shapes. "" where it can.
std::string beyond_prediction(const Checkpoint& checkpoint, const std::string& method) {
  if (checkpoint.weights().key.starts_with("adapter_model"))
    return checkpoint.path +
           ": an adapter, which peft adds to its base model: how the base loads "
           "was not checked";
  if (checkpoint.config.is_object() && checkpoint.config.contains("architecture") &&
      !checkpoint.config.contains("model_type"))
    return checkpoint.path +
           ": config.json is timm's: from_pretrained of transformers takes it "
           "through timm, whose loading was not predicted; use --for timm";
  if (!method.empty() && method != "bitsandbytes")
    return checkpoint.path + ": config.json says that the weights are quantized (" + method +
           "): what its library makes of them was not predicted";
  return "";
}

void note_defaults(Report& report, const model::LoadTarget& target) {
  report.assumed.push_back(
      fmt::format("{}: no config.json: {}.from_pretrained takes the default sizes of its class",
                  report.subjects[0].path, target.model_class->name));
}

/// Sizes that do not fit are the default ones: no renaming helps.
void want_config(LoadReport* load) {
  if (load->mismatched.empty() || !load->remedy.empty()) return;
  load->remedy =
      "Put the config.json of the training beside the weights, or pass it as config=: without it "
      "the class is built with its default sizes";
  load->repair.clear();
  load->refits.clear();
  load->restored.clear();
}

/// Of a class whose names nobody knows here: the files that from_pretrained finds, or misses.
void check_files_alone(Report& report, const model::TargetName& name, const Error& no_class) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  LoadReport load{.target = library_name(name.library),
                  .way = model::way_name(Way::from_pretrained)};
  refuse_missing_files(checkpoint, load);
  if (!load.raises.empty()) return report.loads.push_back(std::move(load));
  Error error = no_class;
  error.hint += ", or load it in the transformers that is installed: --with torch";
  add_gap(report, to_string(error), Gap::blocking);
}

/// Of a Trainer's directory, for what find_renamed_on_disk() says.
void note_lost_on_resume(Report& report, const model::TargetName& name) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  if (name.library == model::Library::transformers5 && is_trainer_checkpoint(checkpoint))
    report.lost_on_resume = renamed_on_disk(checkpoint);
}

/// What the installed library makes of it, whatever the class.
Result<void> check_in_torch(Report& report, const model::TargetName& name, const TorchLoad& torch) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  note_lost_on_resume(report, name);
  SAMEBITS_TRY(LoadReport load, load_in_torch(torch, stored_weights(checkpoint).shapes));
  report.loads.push_back(std::move(load));
  return {};
}

/// 4.57.6 asks for a dict, and 5.24.0 makes one of the pairs, whose names were not read.
void check_list_of_pairs(Report& report, const model::TargetName& name) {
  LoadReport load{.target = library_name(name.library),
                  .way = model::way_name(Way::from_pretrained)};
  constexpr const char* kRemedy = "Save a dict in that file: torch.save(dict(pairs), path)";
  if (name.library == model::Library::transformers5)
    return add_gap(report,
                   fmt::format("{}: the file holds a list of pairs (name, tensor), which {} takes "
                               "for a dict: what stays random was not checked. {}",
                               report.subjects[0].path, load.target, kRemedy),
                   Gap::blocking);
  end_with_error(load, "AttributeError: the file holds a list of pairs, no dict", kRemedy);
  report.loads.push_back(std::move(load));
}

Result<void> check_built_in(Report& report, const model::TargetName& name) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  const bool transformers = name.library == model::Library::transformers4 ||
                            name.library == model::Library::transformers5;
  const bool directory = checkpoint.kind == CheckpointKind::hf_directory;
  const std::string method = transformers ? quantization_method(checkpoint) : "";
  if (std::string text = transformers ? beyond_prediction(checkpoint, method) : ""; !text.empty()) {
    add_gap(report, std::move(text), Gap::blocking);
    return {};
  }
  const bool false_index = has_false_index(checkpoint);  // a gap, which has been said
  if (name.library == model::Library::transformers4 && false_index) return {};
  if (transformers && directory && is_list_of_pairs(checkpoint)) {
    check_list_of_pairs(report, name);
    return {};
  }
  const StoredWeights weights = stored_weights(checkpoint, transformers && directory);
  // Without config.json from_pretrained builds its class with the defaults.
  const bool by_defaults = directory && transformers && !checkpoint.config.is_object() &&
                           checkpoint.config_faults.empty();
  const Json none = Json::object();
  const Json* config = by_defaults                     ? &none
                       : checkpoint.config.is_object() ? &checkpoint.config
                                                       : nullptr;
  note_lost_on_resume(report, name);
  Result<model::LoadTarget> made = model::make_target(name, config, weights.shapes);
  if (!weights.quantized.empty()) report.packed = {weights.quantized, method};
  if (!made) {
    // Of a directory the files tell something, whatever its class: it is no fault of the command.
    if (!transformers || !directory || !name.class_name.empty())
      return fail(std::move(made).error());
    check_files_alone(report, name, made.error());
    return {};
  }
  const model::LoadTarget target = *std::move(made);
  for (const std::string& text : target.assumed) report.assumed.push_back(text);
  if (by_defaults) note_defaults(report, target);
  const Way first = directory && transformers ? Way::from_pretrained : Way::state_dict;
  const bool nested = !checkpoint.weights().inside.empty();
  model::LoadTarget unfilled = target;
  unfilled.recognition.reset();
  const auto add = [&](Way way) {
    const bool finds = !nested || way != Way::from_pretrained;
    report.loads.push_back(
        load_report(target, finds ? model::predict_load(target, weights.shapes, way)
                                  : model::predict_load(unfilled, {}, way)));
    if (!finds)
      report.loads.back().remedy =
          fmt::format("Save what stands under {} in the file itself: samebits convert --to hf does",
                      checkpoint.weights().inside);
    if (directory && way == Way::from_pretrained)
      refuse_missing_files(checkpoint, report.loads.back());
    if (false_index && report.loads.back().remedy.empty())
      report.loads.back().remedy =
          "Write the index anew, or get the directory again: what its index says is not so";
    if (transformers && config != nullptr)
      refuse_activation(*config, name.library, report.loads.back());
    if (weights.quantized.empty()) refuse_values(checkpoint, true, report.loads.back());
    if (by_defaults && way == Way::from_pretrained) want_config(&report.loads.back());
  };
  add(first);
  if (!transformers || !weights.quantized.empty()) return {};
  if (is_trainer_checkpoint(checkpoint)) {
    report.loads.push_back(resumed_load(target, checkpoint, weights.shapes));
    return {};
  }
  add(first == Way::from_pretrained ? Way::state_dict : Way::from_pretrained);
  return {};
}

/// Nothing of the base stays random: it comes from elsewhere.
Result<void> leave_adapter(Report& report) {
  add_gap(report,
          report.subjects[0].path +
              ": an adapter, which peft adds to its base model: how the base is "
              "loaded was not checked",
          Gap::blocking);
  return {};
}

/// The model that transformers makes of a directory may have other names than the directory's
/// files, and load_state_dict() goes by those of the model: that of the version in config.json
/// comes first.
void add_live_models(Report& report, const Checkpoint& target, const StoredWeights& weights) {
  if (target.kind != CheckpointKind::hf_directory || !target.config.is_object()) return;
  if (!quantization_method(target).empty()) return;  // its layers are not those of the class
  const std::vector<model::StoredShape> own = stored_weights(target).shapes;
  const std::string version = target.config.value("transformers_version", Json()).is_string()
                                  ? target.config["transformers_version"].get<std::string>()
                                  : "";
  const LoadReport files = report.loads[0];
  std::vector<LoadReport> loads;
  for (const auto library : {model::Library::transformers5, model::Library::transformers4}) {
    const Result<model::LoadTarget> made = model::make_target({library, ""}, &target.config, own);
    if (!made) return;
    LoadReport live =
        load_report(*made, model::predict_load(*made, weights.shapes, Way::state_dict));
    refuse_values(*report.subjects[0].checkpoint, true, live);
    const bool is_named = version.starts_with(library == model::Library::transformers5 ? '5' : '4');
    loads.insert(is_named ? loads.begin() : loads.end(), std::move(live));
  }
  const bool one_answer = std::ranges::all_of(loads, [&](const LoadReport& live) {
    return live.random == files.random && live.dropped == files.dropped &&
           live.mismatched == files.mismatched;
  });
  if (one_answer) return;
  report.loads = std::move(loads);
  report.loads.push_back(files);
  report.loads.back().target += " (the names in its files)";
}

Result<LoadList> list_of_target(const SubjectOptions& target) {
  if (target.in_memory) return load_list_of(*target.in_memory);
  return read_load_list(target.path);
}

bool has_quantized(const LoadList& list) {
  return list.checkpoint && std::ranges::any_of(list.checkpoint->entries, [](const auto& tensor) {
           return info(tensor.view.dtype()).family == DTypeFamily::quantized;
         });
}

Result<void> check_list(Report& report, const SubjectOptions& target, int threads) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  SAMEBITS_TRY(const LoadList list, list_of_target(target));
  const StoredWeights weights = stored_weights(checkpoint, false);
  report.loads.push_back(load_into_list(list, weights.shapes, target.path));
  repair_by_bytes(checkpoint, list, threads, report.loads.back());
  find_held(checkpoint, list, threads, report.loads.back());
  note_transposes(checkpoint, list, threads, report.loads.back());
  settle_load_ties(checkpoint, list, report.loads.back());
  note_extra_states(checkpoint, list, report.loads.back());
  note_exchanges(checkpoint, list, threads, report.loads.back());
  refuse_values(checkpoint, !has_quantized(list), report.loads.back());
  const bool by_state_dict = checkpoint.kind != CheckpointKind::hf_directory;
  if (list.checkpoint && by_state_dict) add_live_models(report, *list.checkpoint, weights);
  if (list.checkpoint) leave_names_of_files(report, *list.checkpoint);
  return {};
}

/// Causal masks, frequencies, positions: files of older versions hold what classes compute now.
void set_tables_aside(const Checkpoint& checkpoint, LoadReport& load) {
  std::set<std::string> computed;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (tensor.readable && tensor.identity.empty() && computed_table(tensor.name, tensor.view))
      computed.insert(tensor.name);
  }
  const auto kept =
      std::stable_partition(load.dropped.begin(), load.dropped.end(),
                            [&](const std::string& name) { return !computed.contains(name); });
  load.dropped_tables.assign(kept, load.dropped.end());
  load.dropped.erase(kept, load.dropped.end());
}

Result<Report> check_now(const SubjectOptions& options, const SubjectOptions& target, int threads,
                         const TorchLoad& torch) {
  Report report;
  report.command = "check";
  const Result<model::TargetName> built_in = model::parse_target(target.path);
  if (!built_in && !target.in_memory && !is_load_list(target.path)) return fail(built_in.error());
  report.for_transformers_4 = built_in && built_in->library == model::Library::transformers4;
  open_subjects(report, {options}, {.cross_check = true, .threads = threads});
  const Subject& subject = report.subjects[0];
  if (subject.checkpoint && !subject.checkpoint->has_weights()) {
    add_gap(report, subject.path + ": holds no weights to load", Gap::blocking);
  }
  if (subject.checkpoint && subject.checkpoint->has_weights()) {
    Result<void> checked = is_adapter(*subject.checkpoint) ? leave_adapter(report)
                           : built_in && torch ? check_in_torch(report, *built_in, torch)
                           : built_in          ? check_built_in(report, *built_in)
                                               : check_list(report, target, threads);
    if (!checked && checked.error().code == ErrorCode::usage) return fail(checked.error());
    if (!checked) {
      add_gap(report, to_string(checked.error()), Gap::blocking);
    }
  }
  if (!report.loads.empty())
    report.damage = faults_of_records(*subject.checkpoint, subject.checkpoint->weights().weights,
                                      RecordCheck::checksums, threads);
  for (LoadReport& load : report.loads) {
    const bool unpacks =
        !report.packed.names.empty() && load.way == model::way_name(Way::from_pretrained);
    if (load.run_by.empty() && !unpacks) note_codes(*subject.checkpoint, load);
    set_tables_aside(*subject.checkpoint, load);
    load.unplaced = unplaced_tensors(*subject.checkpoint, load);
    if (load.run_by.empty()) note_blocks(*subject.checkpoint, load);
  }
  apply_rules(report, {.threads = threads});
  report.verdict = verdict_of_checkpoint(report);
  return report;
}

}  // namespace

Result<Report> check(const SubjectOptions& options, const std::string& target, int threads) {
  return check(options, target, threads, {});
}

Result<Report> check(const SubjectOptions& options, const std::string& target, int threads,
                     const TorchLoad& torch) {
  return reported("check", {options},
                  [&] { return check_now(options, {.path = target}, threads, torch); });
}

Result<Report> check(const SubjectOptions& options, const SubjectOptions& target, int threads) {
  return reported("check", {options}, [&] { return check_now(options, target, threads, {}); });
}

}  // namespace samebits
