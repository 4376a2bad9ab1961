#include "samebits/explain/trainer_resume.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"
#include "samebits/family/disk_names.h"
#include "samebits/family/parameter_order.h"

namespace samebits {

namespace {

constexpr const char* kTrainerWay = "Trainer.train(resume_from_checkpoint=...)";

/// "4.57.6" of config.json, where an optimizer's state lies beside it; "" where transformers 5
/// wrote it, or nothing says which.
std::string optimizer_of_4(const Checkpoint& checkpoint) {
  if (!checkpoint.config.is_object() || !checkpoint.training.optimizer) return "";
  const Json version = checkpoint.config.value("transformers_version", Json());
  const std::string text = version.is_string() ? version.get<std::string>() : "";
  return text.starts_with("4.") ? text : "";
}

/// Whether the modules of 4.57.6 and of 5.24.0 hold the class's parameters in other orders.
bool is_renumbered(const model::LoadTarget& target) {
  const auto roles = [&](model::Library library) {
    std::vector<std::string> listed;
    Result<std::vector<model::TensorSpec>> specs =
        tensors_of(library, *target.model_class, target.fields);
    if (!specs) return listed;
    for (const model::TensorSpec& spec :
         in_parameter_order(library, *target.model_class, *std::move(specs)))
      listed.push_back(spec.role);
    return listed;
  };
  return roles(model::Library::transformers4) != roles(model::Library::transformers5);
}

}  // namespace

LoadReport resumed_load(const model::LoadTarget& target, const Checkpoint& checkpoint,
                        const std::vector<model::StoredShape>& shapes) {
  const model::LoadOutcome outcome = predict_load(target, shapes, model::Way::state_dict);
  LoadReport load;
  load.target =
      std::string(library_name(target.library)) + ":" + std::string(target.model_class->name);
  load.way = kTrainerWay;
  load.target_tensors = outcome.targets.size();
  load.loaded = outcome.count(model::TargetState::loaded);
  for (const model::TargetTensor& tensor : outcome.targets) {
    if (tensor.state == model::TargetState::missing) load.random.push_back(tensor.spec.name);
    if (tensor.state != model::TargetState::mismatched) continue;
    load.mismatched.push_back(tensor.spec.name);
    load.mismatches.push_back({tensor.found, tensor.spec.shape});
  }
  for (const model::Dropped& dropped : outcome.dropped) load.dropped.push_back(dropped.name);
  load.raises = outcome.raises;
  load.searched = true;
  const std::string version = optimizer_of_4(checkpoint);
  if (!version.empty() && is_renumbered(target)) load.numbered_by = version;
  return load;
}

bool is_trainer_checkpoint(const Checkpoint& checkpoint) {
  return checkpoint.kind == CheckpointKind::hf_directory &&
         checkpoint.training.step == "trainer_state.json";
}

void find_lost_on_resume(Report& report, const Checkpoint& checkpoint, const LoadReport& pretrained,
                         const LoadReport& load) {
  const std::size_t lost = load.random.size();
  const bool better = pretrained.raises.empty() && pretrained.loaded > load.loaded;
  if (lost == 0 || !load.raises.empty() || !better) return;
  Finding finding{.cause = "weights.reinitialized",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A"}};
  finding.summary = fmt::format(
      "{} would restore {} of {}: {} keep what the model held that the Trainer was given",
      kTrainerWay, load.loaded, counted(load.target_tensors, "tensor"), lost);
  finding.details.push_back(
      "it calls load_state_dict(strict=False), which takes names as they stand, and goes on "
      "after a warning; from_pretrained renames them");
  // The Trainer reads the two files only where both are there.
  const TrainingState& training = checkpoint.training;
  const bool has_optimizer = training.optimizer && training.scheduler;
  finding.details.push_back(
      has_optimizer ? "the optimizer's moments, the learning rate and the step are restored, "
                      "beside other weights"
                    : "the step is restored, beside other weights and a new optimizer");
  finding.evidence = {{"count", lost},
                      {"tensors", name_list(load.random)},
                      {"target", load.target},
                      {"way", load.way}};
  const std::string class_name = load.target.substr(load.target.find(':') + 1);
  if (load.numbered_by.empty()) {
    finding.remedy = fmt::format(
        "Give the Trainer {}.from_pretrained(checkpoint) as its model, then resume: {}", class_name,
        has_optimizer ? "all of it is restored" : "all weights are restored");
  } else {
    finding.details.push_back(fmt::format(
        "an optimizer's state goes by the places of parameters, and 5.24.0 has those of {} in "
        "another order than {}, which wrote it: the next step raises, or uses another parameter's "
        "moments",
        class_name, load.numbered_by));
    finding.remedy = fmt::format(
        "Resume with transformers {}; or begin a new optimizer with "
        "{}.from_pretrained(checkpoint) of 5.24.0",
        load.numbered_by, class_name);
  }
  add_finding(report, std::move(finding));
}

void find_trainer_resume(Report& report) {
  const auto resumed = std::ranges::find(report.loads, kTrainerWay, &LoadReport::way);
  if (resumed == report.loads.end()) return;
  find_lost_on_resume(report, *report.subjects[0].checkpoint, report.loads[0], *resumed);
}

std::vector<std::string> renamed_on_disk(const Checkpoint& checkpoint) {
  std::vector<std::string> lost;
  const DiskNames* known = find_disk_names(checkpoint.model_type);
  if (known == nullptr || !checkpoint.has_weights()) return lost;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const std::string& name = checkpoint.entries[index].name;
    if (is_disk_name(*known, name)) lost.push_back(name);
  }
  return lost;
}

namespace {

std::string model_type_in(const Json& config) {
  const Json type = config.is_object() ? config.value("model_type", Json()) : Json();
  return type.is_string() ? type.get<std::string>() : "";
}

/// A model inside the directory's: of the family, or one whose names in files are others.
bool is_renamed_part(const Checkpoint& target, const std::string& type) {
  if (is_converted(type) || model::find_model_type(type) != nullptr) return true;
  const DiskNames* known = find_disk_names(type);
  const std::vector<std::uint32_t>& weights = target.weights().weights;
  return known != nullptr && std::ranges::any_of(weights, [&](std::uint32_t index) {
           return is_disk_name(*known, target.entries[index].name);
         });
}

/// What is not known of the names in a directory's files; "" where they are those of its modules.
std::string names_not_known(const Checkpoint& target) {
  if (target.kind != CheckpointKind::hf_directory || !target.has_weights()) return "";
  if (const std::vector<std::string> lost = renamed_on_disk(target); !lost.empty())
    return fmt::format(
        "{} of {} in its files, {} among them, are names that save_pretrained of transformers "
        "5.24.0 writes and its modules do not have",
        lost.size(), counted(target.weights().weights.size(), "name"), lost[0]);
  std::string renamed = is_converted(target.model_type) ? target.model_type : "";
  if (target.config.is_object())
    for (const Json& part : target.config)
      if (const std::string type = model_type_in(part); is_renamed_part(target, type))
        renamed = type;
  if (renamed.empty()) return "";
  return fmt::format(
      "from_pretrained of transformers 5.24.0 renames tensors of {}, and which names in its files "
      "are those of its modules is not known here",
      renamed);
}

}  // namespace

void leave_names_of_files(Report& report, const Checkpoint& target) {
  const Subject& subject = report.subjects[0];
  const std::string unknown = names_not_known(target);
  LoadReport& files = report.loads[0];
  if (unknown.empty()) return;
  // from_pretrained renames the files of both alike, and load_state_dict() those of neither.
  const Checkpoint& source = *subject.checkpoint;
  if (source.kind == CheckpointKind::hf_directory && source.model_type == target.model_type &&
      renamed_on_disk(source).empty() == renamed_on_disk(target).empty()) {
    files.way = model::way_name(model::Way::from_pretrained);
    files.silent = files.dropped_silently = false;
    return;
  }
  add_gap(report,
          fmt::format("{}: {}. Whether {} loads in full into that model was not checked; {} of its "
                      "names stand in the files. Save the model's own, "
                      "torch.save(model.state_dict(), \"live.pth\"), and check --for live.pth",
                      target.path, unknown, subject.path, files.loaded),
          Gap::blocking);
  report.loads.clear();
}

void find_renamed_on_disk(Report& report) {
  const std::vector<std::string>& lost = report.lost_on_resume;
  if (lost.empty()) return;
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  Finding finding{.cause = "weights.reinitialized",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A"}};
  finding.summary = fmt::format(
      "{} would not restore {} of {}: they stand under names that save_pretrained writes and "
      "modules of 5.24.0 do not have",
      kTrainerWay, lost.size(), counted(checkpoint.weights().weights.size(), "tensor"));
  finding.details.push_back(
      "it calls load_state_dict(strict=False), which takes names as they stand, and goes on "
      "after a warning; from_pretrained renames them");
  const DiskNames* known = find_disk_names(checkpoint.model_type);
  if (known != nullptr && known->stacks_experts)
    finding.details.push_back(
        "modules of 5.24.0 hold the experts of a layer in one tensor, and the file has one for "
        "each: the experts keep what the model held that the Trainer was given");
  finding.evidence = {{"count", lost.size()}, {"tensors", name_list(lost)}, {"way", kTrainerWay}};
  const std::string version = optimizer_of_4(checkpoint);
  finding.remedy =
      version.empty()
          ? "Give the Trainer its class's from_pretrained(checkpoint) as its model, then resume: "
            "all of it is restored"
          : fmt::format(
                "Resume with transformers {}, which wrote it: whether 5.24.0 has the "
                "parameters in the order by which the optimizer's state goes was not "
                "compared",
                version);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
