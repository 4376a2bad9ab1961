// Keys under which trainings count how far they are, and what they count.
//
// One list for all who read them: what inspect prints resume knows.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace samebits {

inline constexpr auto kEpochWords = std::to_array<std::string_view>(
    {"epoch", "current_epoch", "last_epoch", "start_epoch", "epochs_done", "n_epoch", "cur_epoch",
     "epoch_idx", "epochs_trained", "epoch_num"});

/// The surest first: of several counts in one file, the first of these is the loop's.
inline constexpr auto kStepWords = std::to_array<std::string_view>(
    {"global_step", "global_steps", "num_updates",  "iter_num",
     "global_iter", "step",         "steps",        "global_iteration",
     "iteration",   "iterations",   "iter",         "n_iter",
     "niter",       "it",           "updates",      "total_steps",
     "train_step",  "train_steps",  "current_step", "step_num",
     "n_steps",     "steps_done"});

inline bool counts_epochs(std::string_view key) {
  return std::ranges::find(kEpochWords, key) != kEpochWords.end();
}
inline bool counts_steps(std::string_view key) {
  return std::ranges::find(kStepWords, key) != kStepWords.end();
}

}  // namespace samebits
