#include "samebits/explain/trainer_resume.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"

namespace samebits {

namespace {

constexpr const char* kTrainerWay = "Trainer.train(resume_from_checkpoint=...)";

/// What names on disk hold, by model_type, that the names of modules of transformers 5.24.0 do not:
/// its conversion_mapping.py, in the direction of save_pretrained(). `unless` stands before it in
/// the module's own names. A part with "^" stands at the beginning.
struct RenamedOnDisk {
  std::string_view type;
  std::array<std::string_view, 4> parts;
  std::string_view unless = "";
};
using DiskParts = std::array<std::string_view, 4>;
constexpr DiskParts kLlavaParts = {"^language_model.", "^vision_tower.", "^multi_modal_projector.",
                                   "^image_newline"};
constexpr DiskParts kQwenParts = {"^visual.", "^model.embed_tokens.", "^model.layers.",
                                  "^model.norm."};
constexpr auto kRenamedOnDisk = std::to_array<RenamedOnDisk>({
    {"audio-spectrogram-transformer", {"encoder.layer."}},
    {"beit", {"encoder.layer."}},
    {"dinov3_convnext", {"stages."}, "model."},
    {"dinov3_vit", {"layer."}, "model."},
    {"aria", kLlavaParts},
    {"aya_vision", kLlavaParts},
    {"gemma3", kLlavaParts},
    {"got_ocr2", kLlavaParts},
    {"ijepa", {"encoder.layer."}},
    {"internvl", kLlavaParts},
    {"llava", kLlavaParts},
    {"llava_next", kLlavaParts},
    {"llava_next_video", kLlavaParts},
    {"llava_onevision", kLlavaParts},
    {"mistral3", kLlavaParts},
    {"paligemma", kLlavaParts},
    {"qwen2_5_vl", kQwenParts},
    {"qwen2_vl", kQwenParts},
    {"segformer", {"encoder.", "linear_c."}},
    {"swin", {".attention.self.", ".output.dense.", ".intermediate.dense."}},
    {"videomae", {".q_bias", ".v_bias"}},
    {"vipllava", kLlavaParts},
    {"vit_msn", {"encoder.layer."}},
    {"vivit", {"encoder.layer."}},
    {"yolos", {"encoder.mid_position_embeddings"}},
});

bool is_renamed(const RenamedOnDisk& known, std::string_view name) {
  return std::ranges::any_of(known.parts, [&](std::string_view part) {
    if (part.starts_with('^')) return name.starts_with(part.substr(1));
    const std::size_t at = part.empty() ? std::string_view::npos : name.find(part);
    if (at == std::string_view::npos) return false;
    return known.unless.empty() || !name.substr(0, at).ends_with(known.unless);
  });
}

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
  const auto known = std::ranges::find(kRenamedOnDisk, checkpoint.model_type, &RenamedOnDisk::type);
  if (known == kRenamedOnDisk.end() || !checkpoint.has_weights()) return lost;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const std::string& name = checkpoint.entries[index].name;
    if (is_renamed(*known, name)) lost.push_back(name);
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
      "{} would not restore {} of {}: their names are those of transformers 4, which "
      "modules of 5.24.0 do not have",
      kTrainerWay, lost.size(), counted(checkpoint.weights().weights.size(), "tensor"));
  finding.details.push_back(
      "it calls load_state_dict(strict=False), which takes names as they stand, and goes on "
      "after a warning; from_pretrained renames them");
  finding.evidence = {{"count", lost.size()}, {"tensors", name_list(lost)}, {"way", kTrainerWay}};
  finding.remedy =
      "Give the Trainer its class's from_pretrained(checkpoint) as its model, then resume: all of "
      "it is restored";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
