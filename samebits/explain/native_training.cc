#include "samebits/explain/native_training.h"

#include <filesystem>

#include <fmt/format.h>

#include "samebits/train/train_state.h"

namespace samebits {
namespace {

constexpr const char* kMoments = "optimizer.safetensors";
constexpr const char* kState = "training.json";

ResumeRows rows_of_state(const TrainState& state) {
  const TrainOptions& options = state.options;
  return {
      resume_row("optimizer moments", "present", kMoments,
                 fmt::format("AdamW, step {}", state.step)),
      resume_row("scheduler", "present", kState,
                 fmt::format("{}, computed from the step", schedule_name(options.schedule))),
      resume_row("step", "present", kState,
                 fmt::format("step {} of {}, epoch {}", state.step, options.steps, state.epoch)),
      resume_row("rng.torch", "present", kMoments, "of masks and dropout, and of the order"),
      resume_row("rng.numpy", "not needed", "", "samebits train draws nothing from it"),
      resume_row("rng.python", "not needed", "", "samebits train draws nothing from it"),
      resume_row("sampler position", "present", kState,
                 fmt::format("{} samples of epoch {}", state.position, state.epoch))};
}

}  // namespace

bool is_native_training(const Checkpoint& checkpoint) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::path(checkpoint.path) / kState;
  return std::filesystem::is_regular_file(path, error);
}

std::optional<ResumeRows> native_training_rows(const Checkpoint& checkpoint) {
  if (!is_native_training(checkpoint)) return std::nullopt;
  const Result<TrainState> state = read_state(checkpoint.path);
  if (state) return rows_of_state(*state);
  ResumeRow row = resume_row("step", "not read", kState);
  row.unread.push_back(to_string(state.error()));
  return ResumeRows{std::move(row)};
}

}  // namespace samebits
