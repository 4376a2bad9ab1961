#include "samebits/cli/train_progress.h"

#include <unistd.h>

#include <cstdio>

namespace samebits {

double seconds_from(TrainClock::time_point start) {
  return std::chrono::duration<double>(TrainClock::now() - start).count();
}

TrainingLine::TrainingLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

TrainingLine::~TrainingLine() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void TrainingLine::show(const TrainReport& report) {
  constexpr double kPause = 0.25;  // seconds
  if (!terminal_ || (shown_ && seconds_from(last_) < kPause)) return;
  last_ = TrainClock::now();
  shown_ = true;
  std::fprintf(stderr, "\r%s\x1b[K", training_progress(report).c_str());
  std::fflush(stderr);
}

}  // namespace samebits
