// The text of --help, for the program and for each command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace samebits {

/// Usage, description, arguments, options or commands, example: at most 80 columns.
std::string help_text(const CLI::App& app);

/// What to say after a usage error: the sentence, and where help is.
std::string usage_text(const CLI::App& program, const CLI::Error& error);

}  // namespace samebits
