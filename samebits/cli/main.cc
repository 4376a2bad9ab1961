// The program. Reads the command line, runs one command, ends with its exit status.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string_view>

#include "samebits/cli/commands.h"
#include "samebits/cli/help.h"
#include "samebits/report/json.h"

namespace {

// A mapped file that another program truncates raises SIGBUS on the next read.
extern "C" void end_on_bus_error(int) {
  constexpr std::string_view kText =
      "samebits: a file became shorter while it was read, or its disk failed\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText.data(), kText.size());
  _exit(2);
}

void set_signals() {
  std::signal(SIGBUS, end_on_bus_error);
  std::signal(SIGPIPE, SIG_IGN);  // writing says EPIPE instead, and the verdict stays the status
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
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // of the standard library: no memory, no thread
    std::fprintf(stderr, "samebits: %s\n", error.what());
    return 2;
  }
}
