// Completion of the command line for bash, zsh and fish, made from the options that the commands
// have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace samebits {

/// "bash", "fish", "zsh".
std::vector<std::string> completion_shells();

/// A script for that shell. Requires one of completion_shells().
std::string completion_script(CLI::App& program, const std::string& shell);

}  // namespace samebits
