// The words that a shell offers for the value of an option. They stand at the option itself, so
// that help, completion and manual have one table.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace samebits {

/// Other values stay possible: this checks nothing.
CLI::Option* offer_words(CLI::Option* option, const std::vector<std::string>& words);

/// Empty where none were given.
std::vector<std::string> offered_words(CLI::Option* option);

/// The value, or the argument, is a path.
bool takes_path(const CLI::Option& option);

}  // namespace samebits
