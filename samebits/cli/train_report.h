// What `samebits train` says of a training: on the terminal while it runs, and when it ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/train/trainer.h"

namespace samebits {

struct TrainReport {
  std::string model, run;
  std::uint64_t first_step = 0, last_step = 0, steps = 0;  // done here; of the whole training
  std::vector<float> loss;
  std::vector<std::pair<std::uint64_t, float>> validation;  // step, loss
  std::vector<double> step_s;
  std::vector<double> save_s;  // of each checkpoint, in which no step was made
  double load_s = 0;
  std::size_t images = 0;                           // seen here
  std::string checkpoint, weights_sha256, stopped;  // stopped: "SIGINT", or ""
  std::vector<std::string> exports;                 // paths
  std::vector<std::string> notes;                   // sentences on what the training began with
  std::string isa;
  int threads = 1;
  std::size_t processes = 1;
  double communication_s = 0, waiting_s = 0;  // of rank 0, between processes
};

/// Schema "samebits.train/1".
std::string train_json_text(const TrainReport& report);
/// The same of a training that ended with an error.
std::string train_failure_json(const std::string& run, const std::string& why);
std::string render_training(const TrainReport& report);

/// "run: step 12 of 100, loss 0.5432, 8.1 images/s, 35 s left"
std::string training_progress(const TrainReport& report);

}  // namespace samebits
