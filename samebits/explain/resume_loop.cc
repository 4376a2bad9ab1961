#include "samebits/explain/resume_loop.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr const char* kPositionPart = "sampler position";

/// A value below a path of keys, or null.
Json value_below(const Json& value, std::initializer_list<const char*> keys) {
  const Json* at = &value;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return {};
    at = &(*at)[key];
  }
  return *at;
}

ResumeRow lightning_position(const ResumeFacts& facts) {
  const Json progress = value_below(facts.state.loops, {"fit_loop", "epoch_loop.batch_progress"});
  const Json last = value_below(progress, {"is_last_batch"});
  const Json ready = value_below(progress, {"current", "ready"});
  const std::string batches =
      ready.is_number() ? fmt::format("batch {} of its epoch", ready.dump()) : "";
  if (last.is_boolean() && last.get<bool>())
    return resume_row(kPositionPart, "not needed", "loops", "the end of an epoch: " + batches);
  if (ready.is_number() && ready.get<double>() == 0)
    return resume_row(kPositionPart, "not needed", "loops", "before the first batch");
  if (!facts.state.samplers.empty())
    return resume_row(kPositionPart, "present", facts.state.samplers[0].place, batches);
  ResumeRow row = resume_row(kPositionPart, "missing", "", batches);
  ResumeIssue issue{.missing = {kPositionPart}};
  issue.summary = batches.empty()
                      ? "its loops do not say where in the epoch it stands"
                      : "it stands in the middle of an epoch, and no data loader's state is in it";
  if (!batches.empty())
    issue.details.push_back("loops: " + batches + ", which is not the last (is_last_batch false)");
  row.issues.push_back(std::move(issue));
  return row;
}

ResumeRow trainer_position(const ResumeFacts& facts) {
  const Json* skip = find_setting(facts, "ignore_data_skip");
  const bool ignores = skip != nullptr && skip->is_boolean() && skip->get<bool>();
  const double epoch = facts.epoch.value_or(0);
  const bool at_end = epoch == std::floor(epoch);
  if (!facts.step)
    return resume_row(kPositionPart, "missing", "", "trainer_state.json has no global_step");
  if (at_end)
    return resume_row(kPositionPart, "not needed", "trainer_state.json", "the end of an epoch");
  ResumeRow row = resume_row(kPositionPart, "present", "trainer_state.json",
                             "the Trainer skips the batches of global_step");
  if (!ignores) return row;
  row.part.state = "in doubt";
  row.issues.push_back({.missing = {kPositionPart},
                        .summary =
                            "it stands in the middle of an epoch, and training_args.bin says "
                            "ignore_data_skip"});
  return row;
}

/// Steps that no number of equal epochs makes.
bool is_surely_inside(const ResumeFacts& facts) {
  if (!facts.step || !facts.epoch || *facts.epoch < 1 || *facts.step < *facts.epoch) return false;
  return std::fmod(*facts.step, *facts.epoch) != 0 && std::fmod(*facts.step, *facts.epoch + 1) != 0;
}

/// A count alone gives the order back only where the sampler draws it from the epoch's number.
void note_order(const ResumeFacts& facts, const PlacedValues& position, ResumeRow& row) {
  const auto states = std::ranges::count_if(
      facts.state.generators,
      [](const GeneratorState& state) { return state.kind == GeneratorKind::torch; });
  if (position.values.get<double>() == 0 || states != 1) return;
  ResumeIssue issue{.missing = {"order of the epoch"}};
  issue.summary = fmt::format("it counts {} {} in its epoch, and holds the generator of now alone",
                              position.place, count_text(position.values.get<double>()));
  issue.details = {
      "a shuffling DataLoader drew the epoch's order from the generator of the epoch's start; a "
      "sampler that is seeded by the epoch's number needs no more"};
  issue.remedy =
      "Save the generators of the epoch's start, too: restore those, iter(loader), skip the "
      "batches, then restore those of now";
  issue.role = Role::note;
  row.issues.push_back(std::move(issue));
}

ResumeRow plain_position(const ResumeFacts& facts) {
  if (!facts.state.samplers.empty())
    return resume_row(kPositionPart, "present", facts.state.samplers[0].place);
  if (!facts.state.positions.empty()) {
    const PlacedValues& position = facts.state.positions[0];
    ResumeRow row = resume_row(kPositionPart, "present", position.place,
                               count_text(position.values.get<double>()));
    note_order(facts, position, row);
    return row;
  }
  // Finished files of some programs count -1.
  const bool counts = facts.step.value_or(0) >= 0 && facts.epoch.value_or(0) >= 0;
  if ((facts.step || facts.epoch) && counts && !facts.has_gone_on())
    return resume_row(kPositionPart, "not needed", "", "before the first step");
  ResumeRow row = resume_row(kPositionPart, "missing");
  ResumeIssue issue{.missing = {kPositionPart}};
  issue.summary =
      "it does not say how far its epoch was: no sampler's or data loader's state, no "
      "count of batches";
  if (is_surely_inside(facts))
    issue.details.push_back(fmt::format("{} at {} is no end of an epoch, where epochs are equal",
                                        facts.step_text, facts.epoch_text));
  row.issues.push_back(std::move(issue));
  return row;
}

bool is_truthy(const Json* value) {
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  return value->is_number() && value->get<double>() > 0;
}

/// "fp16 True": the setting by which a training uses a scaler; "" where none says so.
std::string scaler_setting(const ResumeFacts& facts) {
  for (const char* name : {"bf16", "use_bf16", "bfloat16"}) {
    if (is_truthy(find_setting(facts, name))) return "";
  }
  for (const char* name : {"fp16", "use_fp16", "amp", "use_amp"}) {
    if (is_truthy(find_setting(facts, name))) return std::string(name) + " true";
  }
  for (const char* name : {"precision", "mixed_precision"}) {
    const Json* value = find_setting(facts, name);
    if (value == nullptr) continue;
    const std::string text = value->is_string() ? value->get<std::string>() : json_text(*value);
    if (text == "16" || text == "16-mixed" || text == "fp16") return std::string(name) + " " + text;
  }
  return "";
}

std::string average_setting(const ResumeFacts& facts) {
  for (const char* name : {"model_ema", "use_ema", "ema"}) {
    if (const Json* value = find_setting(facts, name); value != nullptr && value->is_boolean())
      return value->get<bool>() ? std::string(name) + " true" : "";
  }
  const Json* decay = find_setting(facts, "ema_decay");
  return is_truthy(decay) ? "ema_decay " + json_text(*decay) : "";
}

/// A part that is there with nothing in it: a GradScaler that was switched off.
std::string empty_scaler(const ResumeFacts& facts) {
  for (const std::string& place : facts.state.empty) {
    if (place.find("scal") != std::string::npos || place.find("Precision") != std::string::npos)
      return place;
  }
  return "";
}

}  // namespace

ResumeRow judge_step(const ResumeFacts& facts) {
  const std::string text = facts.step_text +
                           (facts.step_text.empty() || facts.epoch_text.empty() ? "" : ", ") +
                           facts.epoch_text;
  if (!text.empty()) return resume_row("step", "present", "", text);
  ResumeRow row = resume_row("step", "missing");
  ResumeIssue issue{.missing = {"step"}, .summary = "no count of steps or epochs is in it"};
  if (const auto own = facts.optimizer_step())
    issue.details.push_back("the optimizer's own step is " + count_text(*own));
  row.issues.push_back(std::move(issue));
  return row;
}

ResumeRow judge_position(const ResumeFacts& facts) {
  switch (facts.state.framework) {
    case TrainingFramework::lightning: return lightning_position(facts);
    case TrainingFramework::trainer: return trainer_position(facts);
    default: return plain_position(facts);
  }
}

ResumeRows judge_gradients(const ResumeFacts& facts) {
  const Json progress =
      value_below(facts.state.loops,
                  {"fit_loop", "epoch_loop.automatic_optimization.optim_progress", "optimizer"});
  const Json zeroed = value_below(progress, {"zero_grad", "total", "completed"});
  const Json stepped = value_below(progress, {"step", "total", "completed"});
  const bool inside =
      zeroed.is_number() && stepped.is_number() && zeroed.get<double>() > stepped.get<double>();
  if (!inside) return {};
  ResumeRow row =
      resume_row("gradients", "missing", "loops",
                 fmt::format("zeroed {} times, {} steps", zeroed.dump(), stepped.dump()));
  row.issues.push_back({.missing = {"gradients"},
                        .summary = "it was saved while gradients were accumulated, and they are "
                                   "not in it"});
  return {row};
}

ResumeRows judge_scaler(const ResumeFacts& facts) {
  if (!facts.state.scalers.empty()) {
    const PlacedValues& scaler = facts.state.scalers[0];
    const Json scale = value_below(scaler.values, {"scale"});
    return {resume_row("scaler", "present", scaler.place,
                       scale.is_number() ? "scale " + count_text(scale.get<double>()) : "")};
  }
  if (const std::string place = empty_scaler(facts); !place.empty())
    return {resume_row("scaler", "not needed", place, "empty: it was switched off")};
  const std::string setting = scaler_setting(facts);
  if (setting.empty()) return {};
  ResumeRow row = resume_row("scaler", "missing", "", "settings say " + setting);
  row.issues.push_back(
      {.missing = {"scaler"},
       .summary = "its settings say " + setting + ", and no state of a gradient scaler is in it"});
  return {row};
}

ResumeRows judge_average(const ResumeFacts& facts) {
  if (!facts.state.averages.empty())
    return {resume_row("ema", "present", facts.state.averages[0].place)};
  const std::string setting = average_setting(facts);
  if (setting.empty() || facts.checkpoint->training.ema) return {};
  ResumeRow row = resume_row("ema", "missing", "", "settings say " + setting);
  row.issues.push_back(
      {.missing = {"ema"},
       .summary = "its settings say " + setting + ", and no averaged weights are in it"});
  return {row};
}

}  // namespace samebits
