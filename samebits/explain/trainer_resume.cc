#include "samebits/explain/trainer_resume.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"

namespace samebits {

namespace {

constexpr const char* kTrainerWay = "Trainer.train(resume_from_checkpoint=...)";

LoadReport resumed_load(const model::LoadTarget& target, const model::LoadOutcome& outcome) {
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

}  // namespace

bool is_trainer_checkpoint(const Checkpoint& checkpoint) {
  return checkpoint.kind == CheckpointKind::hf_directory &&
         checkpoint.training.step == "trainer_state.json";
}

void find_trainer_resume(Report& report, const model::LoadTarget& target,
                         const std::vector<model::StoredShape>& shapes) {
  const model::LoadOutcome plain = predict_load(target, shapes, model::Way::state_dict);
  const model::LoadOutcome renamed = predict_load(target, shapes, model::Way::from_pretrained);
  LoadReport load = resumed_load(target, plain);
  const std::size_t lost = load.random.size();
  const std::string class_name(target.model_class->name);
  const bool better =
      renamed.raises.empty() && renamed.count(model::TargetState::loaded) > load.loaded;
  if (lost > 0 && load.raises.empty() && better) {
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
        class_name);
    report.findings.push_back(std::move(finding));
  }
  report.loads.push_back(std::move(load));
}

}  // namespace samebits
