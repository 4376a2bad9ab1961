// The files of a training's checkpoint, written and read.
//
//     model.safetensors, config.json, preprocessor_config.json   as from_pretrained() reads them
//     optimizer.safetensors   exp_avg.NAME and exp_avg_sq.NAME for every weight that learns;
//                             generator.noise and generator.order, states of torch's generator
//     training.json           step, position, options, and digests of the data and of the files
//
// All that moves a bit of what follows stands in these files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/train/learning_groups.h"
#include "samebits/train/train_options.h"
#include "samebits/train/trained_model.h"

namespace samebits {

struct TrainState {
  std::uint64_t step = 0;    // steps that are done
  std::uint64_t epoch = 0;   // of the next sample
  std::size_t position = 0;  // samples of this epoch that are done
  std::string data_digest, validation_digest;
  std::uint64_t begun_step = 0;  // that the training began at
  std::string begun_digest;      // of weights and moments as they were then; "" where not known
  std::vector<std::uint8_t> noise_generator;  // state
  std::vector<std::uint8_t> order_generator;  // state before the epoch
  TrainOptions options;
  std::vector<LearningGroup> groups;  // taken over from an optimizer; empty: usual_groups()
  /// Of that optimizer's groups the parameters as they list them, by role; "" of what no table
  /// knows.
  std::vector<std::vector<std::string>> listed;
};

/// What learns: a model's weights, which may be a copy of its own, and AdamW's moments.
struct Learning {
  const TrainedModel& trained;
  VitWeights& weights;
  VitWeights& first;
  VitWeights& second;
};

/// Of all weights with their names, and of their moments.
Result<std::string> digest_of(const Learning& learning, bool moments);

/// Into an empty directory. Errors: io.
Result<void> write_checkpoint(const std::string& directory, const TrainState& state,
                              const Learning& learning);

/// Checks every byte of the files against the digests, and the version of the contract. Errors: io,
/// malformed, inconsistent for damage, unsupported for another version.
Result<TrainState> read_state(const std::string& directory);

/// Moments and generators. Errors: inconsistent where there are others than the model's.
Result<void> read_moments(const std::string& directory, TrainState* state,
                          const Learning& learning);

}  // namespace samebits
