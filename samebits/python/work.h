// Long work for Python: without its interpreter lock, on a thread with the stack of samebits' own
// program, and stopped by Ctrl-C.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "samebits/base/error.h"

namespace samebits::python {

/// Threads that are started from here on have stacks of 8 MiB at least. Of the whole process: what
/// reads files descends into them so far, and no library can give its loops' threads more.
void widen_stacks();

/// Calls `work` once, on another thread, and waits for it. Where a signal's handler raises
/// meanwhile (KeyboardInterrupt), the work is stopped, what it made is thrown away, and the
/// handler's exception is thrown. Exceptions of `work` are thrown here, too. To be called with the
/// lock.
void run_apart(const std::function<void()>& work);

/// The same for work that makes something.
template <class Make>
auto apart(Make make) {
  std::optional<decltype(make())> made;
  run_apart([&] { made.emplace(make()); });
  return *std::move(made);
}

/// Throws samebits.Error, which has the fields of `error`. To be called with the lock.
[[noreturn]] void raise(const Error& error);

/// The value; or throws samebits.Error.
template <class T>
T value_of(Result<T> result) {
  if (!result) raise(result.error());
  return *std::move(result);
}

/// As many as are asked for; 0: as many as there are processors.
int thread_count(int asked);

}  // namespace samebits::python
