// What a training writes beside its checkpoints, step by step: metrics.csv, and where it is wanted
// an event file of TensorBoard.
#pragma once

#include <optional>

#include "samebits/train/event_file.h"
#include "samebits/train/metrics_file.h"
#include "samebits/train/run_folder.h"
#include "samebits/train/trainer.h"

namespace samebits {

class TrainRecords {
 public:
  /// An event file where it is asked for, or the directory has one already. Errors: io.
  static Result<TrainRecords> open(const RunFolder& folder, const Trainer& trainer,
                                   bool tensorboard);

  /// Errors: io.
  Result<void> add(const StepDone& done, const std::optional<float>& validation);

 private:
  explicit TrainRecords(MetricsFile metrics) : metrics_(std::move(metrics)) {}

  MetricsFile metrics_;
  std::optional<EventFile> events_;
};

}  // namespace samebits
