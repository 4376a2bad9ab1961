// A line on standard error while long work runs, where that is a terminal.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace samebits {

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
