#include "samebits/python/work.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>

#include <nanobind/nanobind.h>

#include "samebits/base/parallel.h"
#include "samebits/base/stop.h"
#include "samebits/python/text.h"
#include "samebits/report/text.h"

namespace samebits::python {
namespace {

namespace nb = nanobind;

constexpr std::size_t kStackBytes = std::size_t{8} << 20U;
constexpr std::chrono::milliseconds kBetweenSignals{50};

struct Task {
  const std::function<void()>& work;
  StopFlag stop{false};
  std::exception_ptr thrown{};
  std::mutex mutex{};
  std::condition_variable ended{};
  bool done = false;
};

void do_task(Task& task) {
  try {
    const StopScope scope(&task.stop);
    task.work();
  } catch (...) {
    task.thrown = std::current_exception();
  }
  const std::lock_guard<std::mutex> lock(task.mutex);
  task.done = true;
  task.ended.notify_all();
}

extern "C" void* do_task_of(void* task) {
  do_task(*static_cast<Task*>(task));
  return nullptr;
}

bool start(Task& task, pthread_t* thread) {
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return false;
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  const bool started = ::pthread_create(thread, &attributes, do_task_of, &task) == 0;
  ::pthread_attr_destroy(&attributes);
  return started;
}

/// True where it is over, or a while has passed.
bool is_done(Task& task) {
  std::unique_lock<std::mutex> lock(task.mutex);
  return task.ended.wait_for(lock, kBetweenSignals, [&] { return task.done; });
}

/// Without the lock but for the handlers. True where one of them raised.
bool wait_for(Task& task) {
  bool raised = false;
  while (!is_done(task)) {
    if (raised) continue;
    const nb::gil_scoped_acquire lock;
    raised = PyErr_CheckSignals() != 0;
    if (raised) task.stop = true;
  }
  return raised;
}

}  // namespace

void widen_stacks() {
  pthread_attr_t attributes;
  if (::pthread_getattr_default_np(&attributes) != 0) return;
  std::size_t bytes = 0;
  if (::pthread_attr_getstacksize(&attributes, &bytes) == 0 && bytes < kStackBytes) {
    ::pthread_attr_setstacksize(&attributes, kStackBytes);
    ::pthread_setattr_default_np(&attributes);
  }
  ::pthread_attr_destroy(&attributes);
}

void run_apart(const std::function<void()>& work) {
  Task task{work};
  bool raised = false;
  {
    const nb::gil_scoped_release released;
    pthread_t thread{};
    if (start(task, &thread)) {
      raised = wait_for(task);
      ::pthread_join(thread, nullptr);
    } else {
      do_task(task);  // the system has no more threads
    }
  }
  if (raised) throw nb::python_error();
  if (task.thrown) std::rethrow_exception(task.thrown);
}

void raise(const Error& error) {
  const nb::object type = nb::module_::import_("samebits._errors").attr("Error");
  const nb::object offset = error.offset ? nb::object(nb::cast(*error.offset)) : nb::none();
  const nb::object value =
      type(text_of(printable(to_string(error))), error_code_name(error.code), text_of(error.what),
           text_or_none(error.file), offset, text_or_none(error.expected),
           text_or_none(error.found), text_or_none(error.hint));
  PyErr_SetObject(type.ptr(), value.ptr());
  throw nb::python_error();
}

int thread_count(int asked) { return asked > 0 ? asked : available_threads(); }

}  // namespace samebits::python
