// The text of --help, for the program and for each command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace samebits {

/// Usage, description, arguments, options or commands, example: at most 80 columns.
std::string help_text(const CLI::App& app);

/// "samebits diff [options] A B"
std::string usage_line(const CLI::App& app);
/// "-o, --output FILE"
std::string option_name(const CLI::Option& option);

/// What is wrong with a command line.
struct UsageFault {
  std::string command;  // "diff"; "" where it is of no command
  std::string text;     // one sentence
  std::string help;     // "samebits diff --help"
};
UsageFault usage_fault(const CLI::App& program, const CLI::Error& error);
/// The same as it stands on standard error.
std::string usage_text(const CLI::App& program, const CLI::Error& error);

}  // namespace samebits
