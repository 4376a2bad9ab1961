// The manual page, made from what the commands say of themselves.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace samebits {

/// A page of section 1 in the language of man(7).
std::string manual_page(CLI::App& program, const std::string& version);

}  // namespace samebits
