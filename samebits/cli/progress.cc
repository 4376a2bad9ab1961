#include "samebits/cli/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <system_error>
#include <utility>

#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kBarWidth = 60;

}  // namespace

Progress::Progress(const std::string& what) : what_(elide_middle(printable(what), kBarWidth)) {
  if (isatty(STDERR_FILENO) != 1) return;
  try {
    thread_ = std::thread([this] { show(); });
  } catch (const std::system_error&) {  // the work goes on without its line
  }
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::show() {
  std::unique_lock<std::mutex> lock(mutex_);
  int seconds = 0;
  while (!ended_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; })) {
    std::fprintf(stderr, "\r%s: %d s", what_.c_str(), ++seconds);
    std::fflush(stderr);
  }
  if (seconds > 0) std::fputs("\r\x1b[K", stderr);
}

}  // namespace samebits
