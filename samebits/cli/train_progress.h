// The line on a terminal that says how far a training is.
#pragma once

#include <chrono>

#include "samebits/cli/train_report.h"

namespace samebits {

using TrainClock = std::chrono::steady_clock;

double seconds_from(TrainClock::time_point start);

/// The next line overwrites it, and the end takes it away.
class TrainingLine {
 public:
  TrainingLine();
  TrainingLine(const TrainingLine&) = delete;
  TrainingLine& operator=(const TrainingLine&) = delete;
  ~TrainingLine();

  /// Nothing where standard error is no terminal, or the last one was shown just now.
  void show(const TrainReport& report);

 private:
  bool terminal_, shown_ = false;
  TrainClock::time_point last_;
};

}  // namespace samebits
