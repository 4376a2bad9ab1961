// A line on standard error while long work runs, where that is a terminal.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "samebits/base/work_meter.h"

namespace samebits {

/// "reading hf: comparing bytes, 43 %, 12 s left": what is under way, and of a step that runs for a
/// while how long it will take if it goes on so. `seconds` of all, `step_seconds` of this step.
std::string progress_text(const std::string& what, const WorkSeen& seen, double seconds,
                          double step_seconds);

/// Lives as long as the work. Shows nothing in the first second and nothing where standard error is
/// no terminal or the system has no thread for it; takes its line away when it ends.
class Progress {
 public:
  explicit Progress(const std::string& what);  // "reading hf/ and whole.pth"
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void show();

  std::string what_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace samebits
