#include "samebits/explain/trainer_resume.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"
#include "samebits/family/disk_names.h"

namespace samebits {

namespace {

constexpr const char* kTrainerWay = "Trainer.train(resume_from_checkpoint=...)";

}  // namespace

LoadReport resumed_load(const model::LoadTarget& target,
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
  return load;
}

bool is_trainer_checkpoint(const Checkpoint& checkpoint) {
  return checkpoint.kind == CheckpointKind::hf_directory &&
         checkpoint.training.step == "trainer_state.json";
}

void find_trainer_resume(Report& report) {
  const auto resumed = std::ranges::find(report.loads, kTrainerWay, &LoadReport::way);
  if (resumed == report.loads.end()) return;
  const LoadReport& load = *resumed;
  const LoadReport& pretrained = report.loads[0];
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
  finding.details.push_back(
      "the optimizer's moments, the learning rate and the step are restored, beside other "
      "weights");
  finding.evidence = {{"count", lost},
                      {"tensors", name_list(load.random)},
                      {"target", load.target},
                      {"way", load.way}};
  finding.remedy = fmt::format(
      "Give the Trainer {}.from_pretrained(checkpoint) as its model, then resume: all of it is "
      "restored",
      load.target.substr(load.target.find(':') + 1));
  add_finding(report, std::move(finding));
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
  finding.remedy =
      "Give the Trainer its class's from_pretrained(checkpoint) as its model, then resume: all of "
      "it is restored";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
