#include "samebits/explain/resume_facts.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace samebits {
namespace {

// Where several counts stand in a file, the first of these is the loop's.
constexpr std::array kSurestSteps = std::to_array<std::string_view>(
    {"global_step", "global_steps", "num_updates", "iter_num", "global_iter", "global_iteration"});

std::string last_part(const std::string& place) {
  return place.substr(std::min(place.size(), place.find_last_of(".:") + 1));
}

/// accelerate's own "step" counts batches since the last update, not those of the loop.
bool counts_the_loop(const PlacedValues& count) {
  return !count.place.starts_with("random_states_");
}

const PlacedValues* pick_step(const std::vector<PlacedValues>& steps) {
  for (const std::string_view name : kSurestSteps) {
    for (const PlacedValues& each : steps) {
      if (last_part(each.place) == name && counts_the_loop(each)) return &each;
    }
  }
  const auto found = std::ranges::find_if(steps, counts_the_loop);
  return found == steps.end() ? nullptr : &*found;
}

const Json* setting_below(const Json& value, std::string_view name, int depth) {
  if (!value.is_object() || depth > 6) return nullptr;
  const auto found = value.find(std::string(name));
  if (found != value.end()) return &*found;
  for (const Json& member : value) {
    if (const Json* inner = setting_below(member, name, depth + 1)) return inner;
  }
  return nullptr;
}

}  // namespace

std::string count_text(double number) {
  const bool whole = number == std::floor(number);
  return whole ? fmt::format("{}", number) : fmt::format("{:.4g}", number);
}

bool ResumeFacts::has_gone_on() const { return step.value_or(0) > 0 || epoch.value_or(0) > 0; }

bool ResumeFacts::has_only_weights() const {
  const ResumeState& s = state;
  return s.optimizers.empty() && s.schedulers.empty() && s.scalers.empty() &&
         s.generators.empty() && s.samplers.empty() && s.epochs.empty() && s.steps.empty() &&
         s.whole_objects.empty() && s.trainer.is_null() && s.not_read.empty();
}

std::optional<double> ResumeFacts::optimizer_step() const {
  std::optional<double> largest;
  for (const OptimizerState& optimizer : state.optimizers) {
    for (const ParameterState& parameter : optimizer.parameters) {
      if (parameter.step) largest = std::max(largest.value_or(0), *parameter.step);
    }
  }
  return largest;
}

ResumeFacts read_resume_facts(const Checkpoint& checkpoint) {
  ResumeFacts facts;
  facts.checkpoint = &checkpoint;
  facts.state = read_resume_state(checkpoint);
  if (const PlacedValues* step = pick_step(facts.state.steps)) {
    facts.step = step->values.get<double>();
    facts.step_text = fmt::format("{} {}", step->place, count_text(*facts.step));
  }
  if (!facts.state.epochs.empty()) {
    const PlacedValues& epoch = facts.state.epochs.front();
    facts.epoch = epoch.values.get<double>();
    facts.epoch_text = fmt::format("{} {}", epoch.place, count_text(*facts.epoch));
  }
  return facts;
}

ResumeRow resume_row(const std::string& part, const std::string& state, const std::string& place,
                     const std::string& detail) {
  ResumeRow row;
  row.part = {.part = part, .state = state, .place = place, .detail = detail};
  return row;
}

const Json* find_setting(const ResumeFacts& facts, std::string_view name) {
  for (const PlacedValues& settings : facts.state.settings) {
    if (const Json* found = setting_below(settings.values, name, 0)) return found;
  }
  return nullptr;
}

}  // namespace samebits
