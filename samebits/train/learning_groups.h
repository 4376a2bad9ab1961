// Groups of weights that one learning rate and one setting of AdamW move, as an optimizer's
// param_groups are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/train/optimizer.h"
#include "samebits/train/train_options.h"
#include "samebits/train/trained_model.h"

namespace samebits {

struct LearningGroup {
  double lr = 0;  // before the factor of the schedule
  AdamwSettings adamw;
  /// Steps that AdamW had made with these weights when the training stood at step 0; negative where
  /// it began with them later.
  std::int64_t steps_before = 0;
  std::vector<std::string> names;  // of TrainedModel::weights

  bool operator==(const LearningGroup&) const = default;
};

/// As the options say it: what learns, and apart from it norms and biases where they do not decay;
/// with layer_decay so for each layer. Layer 0 holds the tokens, positions and patches, layer i + 1
/// block i, and the last one the rest; the rate of layer i of n is lr * layer_decay^(n - 1 - i).
/// Source: util/lr_decay.py (param_groups_lrd) of facebookresearch/mae.
std::vector<LearningGroup> usual_groups(const TrainOptions& options, TrainedModel& trained);

/// Of every slot its group; -1 where it does not learn. Says in trained.weights what learns.
/// Errors: inconsistent for names that are no weights or stand in two groups, unsupported where
/// query, key and value of a block are not in one.
Result<std::vector<int>> assign_groups(const std::vector<LearningGroup>& groups,
                                       TrainedModel& trained);

Json groups_json(const std::vector<LearningGroup>& groups);
/// Errors: malformed, for what groups_json() does not write.
Result<std::vector<LearningGroup>> groups_from_json(const Json& json, const std::string& file);

}  // namespace samebits
