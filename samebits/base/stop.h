// A request to end long work early, for callers that somebody can interrupt.
//
// Between two items of a parallel loop its threads look whether the work that they belong to is to
// stop; where it is, the loop ends with an exception of the standard library, which the boundaries
// of the library turn into an Error (base/exceptions.h), as where memory runs out. What was made
// until then is to be thrown away. Work outside of any StopScope cannot be stopped.
#pragma once

#include <atomic>

namespace samebits {

using StopFlag = std::atomic<bool>;

/// As long as it lives, work of this thread, and of those that loops start for it, stops soon after
/// the flag is set. The flag must outlive it.
class StopScope {
 public:
  explicit StopScope(const StopFlag* flag);
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  const StopFlag* before_;
};

/// The flag of this thread's work; nullptr where there is none.
const StopFlag* current_stop();

/// Throws std::runtime_error where the flag is set. Nothing for nullptr.
void throw_if_stopped(const StopFlag* flag);

}  // namespace samebits
