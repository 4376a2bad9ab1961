// --isa: which instruction set a command computes with.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "samebits/base/error.h"
#include "samebits/kernels/kernel_choice.h"

namespace samebits {

void add_isa_option(CLI::App* command, std::string* isa);

/// "": the fastest of this machine. Errors: usage, for one that it has not.
Result<KernelChoice> chosen_kernels(const std::string& isa);

}  // namespace samebits
