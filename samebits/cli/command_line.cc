#include "samebits/cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

#include "samebits/cli/commands.h"
#include "samebits/cli/help.h"
#include "samebits/cli/options.h"
#include "samebits/cli/process.h"
#include "samebits/report/json.h"

namespace samebits {
namespace {

// --help and --version go to standard output, and what is wrong to standard error; with --json also
// as an object to standard output.
int end_of_parsing(const CLI::App& program, const CLI::ParseError& error, bool json) {
  std::ostringstream output, complaint;
  const bool is_answer = program.exit(error, output, complaint) == 0;
  std::fputs(complaint.str().c_str(), stderr);
  if (!is_answer && json) {
    const UsageFault fault = usage_fault(program, error);
    write_output(error_json_text(fault.command, fault.text, fault.help));
  }
  return write_output(output.str()) && is_answer ? 0 : 2;
}

// A line that cannot be read says by this word alone that a program waits for JSON.
bool wants_json(int argc, char** argv) {
  return std::any_of(argv + std::min(argc, 1), argv + argc,
                     [](std::string_view argument) { return argument == "--json"; });
}

int empty_argument(bool json) {
  const Error error = {.code = ErrorCode::usage,
                       .what = "an argument is empty",
                       .hint = "Is a variable of the shell not set?"};
  if (json) write_output(error_json_text("", to_string(error), ""));
  return usage_error(error);
}

// Nothing is called "": it is what a shell makes of a variable that is not set, and must not count
// as an option that was not given.
bool is_empty(std::string_view argument) {
  return argument.empty() ||
         (argument.starts_with("--") && argument.find('=') == argument.size() - 1);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  const bool json = wants_json(argc, argv);
  if (std::any_of(argv + std::min(argc, 1), argv + argc, is_empty)) return empty_argument(json);
  CLI::App program(
      "Load a model any way you like and get the same bits; when two loads differ, "
      "learn exactly why.",
      "samebits");
  int status = 2;
  program.formatter_fn(
      [](const CLI::App* app, const std::string&, CLI::AppFormatMode) { return help_text(*app); });
  program.failure_message(
      [](const CLI::App* app, const CLI::Error& error) { return usage_text(*app, error); });
  program.set_help_flag("-h,--help", "this text");
  program.set_version_flag("--version", std::string("samebits ") + tool_version(),
                           "the version of this program");
  program.require_subcommand(0, 1);
  program.footer("example\n  samebits explain hf/ whole.pth statedict.pth");
  add_inspect(&program, &status);
  add_diff(&program, &status);
  add_explain(&program, &status);
  add_check(&program, &status);
  add_resume(&program, &status);
  add_run(&program, &status);
  add_train(&program, &status);
  add_lock(&program, &status);
  add_verify(&program, &status);
  add_convert(&program, &status);
  add_completion(&program, &status);
  add_man(&program, &status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(program, error, json);
  }
  if (program.get_subcommands().empty()) {
    std::fputs(help_text(program).c_str(), stderr);
  }
  return status;
}

}  // namespace samebits
