// Two trainings held against one another, step by step: their losses, their saved states, and the
// steps that were recorded in both.
//
// Reads what samebits train wrote: metrics.csv, step-N, trace-step-N.safetensors. Bits are
// compared, not numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// What a step is made of, in the order in which it is computed.
enum class StepPart : std::uint8_t {
  batch,     // which samples, and the images
  noise,     // of masks, or the generator that draws it
  forward,   // activations
  backward,  // gradients of activations
  gradient,
  moment,
  update,  // weights
};
const char* step_part_name(StepPart part);  // "batch"

/// The first difference in something that both trainings hold.
struct StepDifference {
  StepPart part = StepPart::batch;
  std::string name;     // "gradient.vit.layernorm.bias"; of states "exp_avg.NAME"
  double relative = 0;  // norm of the difference over norm of A's; 0 where there are no numbers
  std::size_t differing = 0;  // of the arrays that both have
  std::size_t arrays = 0;
};

/// Whether it holds a recorded step of a training.
bool is_step_trace(const Checkpoint& checkpoint);
/// Two of these. Nothing where every array is the same bits. Errors: inconsistent where one holds
/// arrays that the other does not.
Result<std::optional<StepDifference>> compare_step_traces(const Checkpoint& a, const Checkpoint& b);

/// Whether a path is a directory of `samebits train` with a checkpoint.
bool is_training_run(const std::string& path);

struct RunsCompared {
  std::vector<std::string> options;  // "lr: 0.001 against 0.002"
  bool other_data = false;           // their digests differ
  /// The step at which both began, with the same weights and moments.
  std::optional<std::uint64_t> same_beginning;
  std::size_t losses = 0;                  // steps whose losses both have
  std::optional<std::uint64_t> loss_step;  // the first of these that differs, counted from 1
  std::string loss_a, loss_b;
  std::vector<std::uint64_t> saved;          // steps that both have saved
  std::optional<std::uint64_t> same_before;  // of these the last before the first other one
  std::optional<std::uint64_t> other_state;  // that one
  StepDifference state;                      // what differs in it first
  std::vector<std::uint64_t> recorded;       // steps that both have recorded
  std::optional<std::uint64_t> other_trace;  // the first of these that differs
  StepDifference trace;

  bool differ() const { return loss_step || other_state || other_trace; }
  /// The first step in which something is known to differ.
  std::optional<std::uint64_t> first_step() const;
};

/// Errors: io, and those of files that cannot be read.
Result<RunsCompared> compare_training_runs(const std::string& a, const std::string& b);

}  // namespace samebits
