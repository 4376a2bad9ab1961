#include "samebits/cli/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "samebits/base/atomic_directory.h"
#include "samebits/base/atomic_write.h"
#include "samebits/base/exceptions.h"

namespace samebits {
namespace {

constexpr std::size_t kStackBytes = 8 << 20;

struct Ending {
  int signal;
  std::string_view text;
};
constexpr std::array kEndings = std::to_array<Ending>({
    {SIGHUP, "samebits: ended, as its terminal was closed\n"},
    {SIGINT, "samebits: interrupted\n"},
    {SIGQUIT, "samebits: interrupted\n"},
    {SIGTERM, "samebits: terminated\n"},
    {SIGXCPU, "samebits: ended at the limit of processor time (ulimit -t)\n"},
    {SIGABRT, ""},  // whatever aborts says why
});

std::string bus_error_output;
bool shows_progress = false;  // so that its line is taken away

// For signal handlers. Nobody may listen, and then nobody needs to know.
void say(std::string_view text) {
  constexpr std::string_view kClear = "\r\x1b[K";
  if (shows_progress) (void)!::write(STDERR_FILENO, kClear.data(), kClear.size());
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

// Ends by the signal itself, so that a shell sees 128 + its number and stops its script.
extern "C" void end_by_signal(int number) {
  remove_temporary_files();
  remove_temporary_directory();
  for (const Ending& ending : kEndings) {
    if (ending.signal == number && !ending.text.empty()) say(ending.text);
  }
  ::raise(number);  // SA_RESETHAND and SA_NODEFER: the system's own handling now
}

// A mapped file that another program truncates raises SIGBUS on the next read.
extern "C" void end_on_bus_error(int) {
  remove_temporary_files();
  remove_temporary_directory();
  say("samebits: a file became shorter while it was read, or its disk failed\n");
  (void)!::write(STDOUT_FILENO, bus_error_output.data(), bus_error_output.size());
  ::_exit(2);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action = {};
  if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER | SA_RESTART);
  ::sigaction(number, &action, nullptr);
}

volatile std::sig_atomic_t asked_signal = 0;

extern "C" void note_stop(int number) {
  asked_signal = number;
  handle(SIGINT,
         end_by_signal);  // SA_RESETHAND: without this the system's own handling would follow
  handle(SIGTERM, end_by_signal);
}

int error_status(const char* text) {
  std::fprintf(stderr, "samebits: %s\n", text);
  return 2;
}

/// Takes no memory.
int exception_status(const std::exception& error) {
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
                         dynamic_cast<const std::length_error*>(&error) != nullptr;
  return error_status(no_memory ? kNoMemory : error.what());
}

/// Where an exception can go no further, as out of a destructor, or there is not even memory for
/// one: an orderly end all the same.
[[noreturn]] void end_on_terminate() {
  const std::exception_ptr thrown = std::current_exception();
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    _exit(exception_status(error));
  }
  constexpr std::size_t kMoreThanAnException = 1024;
  void* volatile probe = std::malloc(kMoreThanAnException);
  if (probe != nullptr) std::abort();
  _exit(exception_status(std::bad_alloc()));
}

/// Before the constructors of what is global.
[[gnu::constructor(101)]] void set_terminate() { std::set_terminate(end_on_terminate); }

int guarded(const std::function<int()>& work) {
  try {
    return work();
  } catch (const std::exception& error) {  // of the standard library: no memory
    return exception_status(error);
  }
}

bool stack_is_large() {
  rlimit stack = {};
  return ::getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur >= kStackBytes;
}

void set_stack_of_threads() {
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return;
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

/// A word as it stands, or between quotes where a shell would take it apart.
std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+,./:@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

void open_standard_files() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one. Reading it, or writing to it, fails.
    (void)!::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void print_on_bus_error(std::string text) { bus_error_output = std::move(text); }

void set_signals() {
  shows_progress = ::isatty(STDERR_FILENO) == 1;
  for (const Ending& ending : kEndings) handle(ending.signal, end_by_signal);
  handle(SIGBUS, end_on_bus_error);
  std::signal(SIGPIPE, SIG_IGN);  // writing says EPIPE instead, and the verdict stays the status
  std::signal(SIGXFSZ, SIG_IGN);  // and EFBIG
}

void ask_before_stopping() {
  handle(SIGINT, note_stop);
  handle(SIGTERM, note_stop);
}

int stop_asked() { return asked_signal; }

void share_memory_where_it_is_limited() {
#if defined(__GLIBC__)
  rlimit limit = {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    ::mallopt(M_ARENA_MAX, 1);
#endif
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::string line;
  for (std::size_t begin = 0; begin < words.size();) {
    const std::size_t end = std::min(words.find('\0', begin), words.size());
    const std::string word = words.substr(begin, end - begin);
    line += line.empty() ? "samebits" : " " + shell_word(word);
    begin = end + 1;
  }
  return line;
}

int run_on_own_stack(const std::function<int()>& work) {
  set_stack_of_threads();
  int status = 2;
  std::thread thread;
  try {
    thread = std::thread([&] { status = guarded(work); });
  } catch (const std::system_error& error) {
    if (stack_is_large()) return guarded(work);
    std::fprintf(stderr,
                 "samebits: no thread with a stack of 8 MiB could be started: %s. Raise a limit of "
                 "this shell: ulimit -s 8192, ulimit -v or ulimit -u\n",
                 std::strerror(error.code().value()));
    return status;
  }
  thread.join();
  return status;
}

}  // namespace samebits
