// What a training is asked for, and its form in the state of a checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samebits/base/error.h"
#include "samebits/base/json.h"
#include "samebits/train/optimizer.h"
#include "samebits/train/schedule.h"

namespace samebits {

/// Of the numeric contract of training (docs/training.md): a checkpoint of another version is not
/// continued.
inline constexpr int kTrainingContract = 1;

/// More images of a pass or a leaf, passes of a step, and steps are asked for by mistake alone.
inline constexpr std::uint64_t kMostImages = 1 << 20;
inline constexpr std::uint64_t kMostSteps = 1'000'000'000'000;

struct TrainOptions {
  std::string data, validation;  // paths; the second may be ""
  std::uint64_t steps = 0;       // of the optimizer, in all
  std::size_t batch = 8;         // images of one pass
  std::size_t accumulate = 1;    // passes of one step
  std::size_t leaf = 1;          // images
  double lr = 1e-3;
  AdamwSettings adamw;
  bool decay_all = true;     // false: norms and biases do not decay
  double layer_decay = 1;    // the rate of a block is this times that of the one behind it
  bool torch_tails = false;  // the last numel % 8 elements of a tensor are rounded as torch's
  Schedule::Kind schedule = Schedule::Kind::constant;
  std::uint64_t warmup = 0;
  double clip = 0;  // norm of the gradient; 0: no clipping
  std::uint64_t seed = 42;
  double mask_ratio = 0;
  bool norm_pix_loss = false;
  std::uint64_t save_every = 0;  // steps; 0: the last one alone is saved. Moves no bit
  std::size_t keep = 0;          // checkpoints; 0: all. Moves no bit

  /// A leaf for batches of this size: the largest power of two that is at most a quarter of the
  /// batch, at least 1 and at most 4.
  static std::size_t usual_leaf(std::size_t batch);
  /// Errors: usage.
  Result<void> check() const;
};

Json options_json(const TrainOptions& options);
/// Errors: malformed, for what options_json() does not write.
Result<TrainOptions> options_from_json(const Json& json, const std::string& file);

}  // namespace samebits
