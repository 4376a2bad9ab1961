// The program. Reads the command line, runs one command, ends with its exit status.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <string_view>

#include "samebits/cli/bus_error.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/help.h"
#include "samebits/cli/options.h"
#include "samebits/cli/process.h"
#include "samebits/kernels/kernel_choice.h"
#include "samebits/report/json.h"

namespace {

// --help and --version go to standard output, and what is wrong to standard error; with --json also
// as an object to standard output.
int end_of_parsing(const CLI::App& program, const CLI::ParseError& error, bool json) {
  std::ostringstream output, complaint;
  const bool is_answer = program.exit(error, output, complaint) == 0;
  std::fputs(complaint.str().c_str(), stderr);
  if (!is_answer && json) {
    const samebits::UsageFault fault = samebits::usage_fault(program, error);
    samebits::write_output(samebits::error_json_text(fault.command, fault.text, fault.help));
  }
  return samebits::write_output(output.str()) && is_answer ? 0 : 2;
}

// A line that cannot be read says by this word alone that a program waits for JSON.
bool wants_json(int argc, char** argv) {
  return std::any_of(argv + std::min(argc, 1), argv + argc,
                     [](std::string_view argument) { return argument == "--json"; });
}

int empty_argument(bool json) {
  const samebits::Error error = {.code = samebits::ErrorCode::usage,
                                 .what = "an argument is empty",
                                 .hint = "Is a variable of the shell not set?"};
  if (json) samebits::write_output(samebits::error_json_text("", to_string(error), ""));
  return samebits::usage_error(error);
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Nothing is called "": it is what a shell makes of a variable that is not set, and must not count
// as an option that was not given.
bool is_empty(std::string_view argument) {
  return argument.empty() ||
         (argument.starts_with("--") && argument.find('=') == argument.size() - 1);
}

int run(int argc, char** argv) {
  const bool json = wants_json(argc, argv);
  if (std::any_of(argv + std::min(argc, 1), argv + argc, is_empty)) return empty_argument(json);
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
  samebits::add_resume(&program, &status);
  samebits::add_run(&program, &status);
  samebits::add_lock(&program, &status);
  samebits::add_verify(&program, &status);
  samebits::add_convert(&program, &status);
  samebits::add_completion(&program, &status);
  samebits::add_man(&program, &status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(program, error, json);
  }
  if (program.get_subcommands().empty()) {
    std::fputs(samebits::help_text(program).c_str(), stderr);
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  samebits::open_standard_files();
  samebits::set_signals();
  samebits::share_memory_where_it_is_limited();
  samebits::measure_kernels_with(seconds_now);
  return samebits::run_on_own_stack([&] {
    samebits::print_on_bus_error(samebits::bus_error_report(argc, argv));
    return run(argc, argv);
  });
}
