// The program. Reads the command line, runs one command, ends with its exit status.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>

#include "samebits/base/exceptions.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/help.h"
#include "samebits/report/json.h"

namespace {

/// Takes no memory.
void print_exception(const std::exception& error) {
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
                         dynamic_cast<const std::length_error*>(&error) != nullptr;
  std::fprintf(stderr, "samebits: %s\n", no_memory ? samebits::kNoMemory : error.what());
}

// A mapped file that another program truncates raises SIGBUS on the next read.
extern "C" void end_on_bus_error(int) {
  constexpr std::string_view kText =
      "samebits: a file became shorter while it was read, or its disk failed\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText.data(), kText.size());
  _exit(2);
}

/// Where an exception can go no further, as out of a destructor, or there is not even memory for
/// one: an orderly end all the same.
[[noreturn]] void end_on_terminate() {
  const std::exception_ptr thrown = std::current_exception();
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    print_exception(error);
    _exit(2);
  }
  constexpr std::size_t kMoreThanAnException = 1024;
  void* volatile probe = std::malloc(kMoreThanAnException);
  if (probe != nullptr) std::abort();
  print_exception(std::bad_alloc());
  _exit(2);
}

/// Before the constructors of what is global.
[[gnu::constructor(101)]] void set_terminate() { std::set_terminate(end_on_terminate); }

void set_signals() {
  std::signal(SIGBUS, end_on_bus_error);
  std::signal(SIGPIPE, SIG_IGN);  // writing says EPIPE instead, and the verdict stays the status
}

/// Where the address space is limited (ulimit -v), the C library's arenas of 64 MB for each thread
/// may find no place, and it would then ask the system anew for every few bytes.
void share_memory_where_it_is_limited() {
#if defined(__GLIBC__)
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) mallopt(M_ARENA_MAX, 1);
#endif
}

int run(int argc, char** argv) {
  CLI::App program(
      "Load a model any way you like and get the same bits; when two loads differ, "
      "learn exactly why.",
      "samebits");
  int status = 2;
  program.formatter_fn([](const CLI::App* app, const std::string&, CLI::AppFormatMode) {
    return samebits::help_text(*app);
  });
  program.failure_message([](const CLI::App* app, const CLI::Error& error) {
    return samebits::usage_text(*app, error);
  });
  program.set_help_flag("-h,--help", "this text");
  program.set_version_flag("--version", std::string("samebits ") + samebits::tool_version(),
                           "the version of this program");
  program.require_subcommand(0, 1);
  program.footer("example\n  samebits explain hf/ whole.pth statedict.pth");
  samebits::add_inspect(&program, &status);
  samebits::add_diff(&program, &status);
  samebits::add_explain(&program, &status);
  samebits::add_check(&program, &status);
  samebits::add_run(&program, &status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  if (program.get_subcommands().empty()) {
    std::fputs(samebits::help_text(program).c_str(), stderr);
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  set_signals();
  share_memory_where_it_is_limited();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // of the standard library: no memory
    print_exception(error);
    return 2;
  }
}
