// PyTorch's AdamW in a checkpoint, taken over: its settings, steps and moments, by the names of the
// model's weights.
//
// Takes: one optimizer's state_dict(), wherever read_resume_state() finds it (Lightning's
// checkpoints, directories of transformers' Trainer and of accelerate, dicts of torch.save).
// Source: torch/optim/adamw.py and adam.py of torch 2.13.0. Does not take: other optimizers,
// amsgrad, maximize, moments that are not float32, weight decay of Adam (which is in the gradient).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samebits/checkpoint/resume_state.h"
#include "samebits/train/learning_groups.h"

namespace samebits {

struct TakenMoments {
  std::string name;  // of TrainedModel::weights
  TensorView first, second;
};

struct TakenOptimizer {
  std::string place;       // "optimizer_states.0"
  std::uint64_t step = 0;  // that it has made
  /// In the order of its own, cut where weights stand at other steps; steps_before counts from
  /// `step` on. Their rates are those from which a schedule starts.
  std::vector<LearningGroup> groups;
  std::vector<double> rates;                     // of the groups, as they stand now
  std::vector<std::vector<std::string>> listed;  // TrainState::listed
  std::vector<TakenMoments> moments;
  std::vector<std::string> frozen;  // weights that it does not move
  bool fused = false;
  bool scheduled = false;  // a schedule stands in the checkpoint, or has moved its rates
  std::shared_ptr<const ResumeState> source;  // owns what `moments` borrow
};

/// Errors: unsupported and inconsistent, and they name what cannot be taken.
Result<TakenOptimizer> take_optimizer(const Checkpoint& checkpoint, const TrainedModel& trained);

/// Into the model's moments. Requires assign_groups() of these groups.
void write_moments(const TakenOptimizer& taken, const TrainedModel& trained, VitWeights& first,
                   VitWeights& second);

}  // namespace samebits
