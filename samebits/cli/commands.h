// The commands of the program, one file each. Every function adds one to the command line; running
// it writes a report and sets *status to the exit status.
#pragma once

#include <CLI/CLI.hpp>

namespace samebits {

void add_inspect(CLI::App* program, int* status);
void add_diff(CLI::App* program, int* status);
void add_check(CLI::App* program, int* status);
void add_resume(CLI::App* program, int* status);
void add_explain(CLI::App* program, int* status);
void add_run(CLI::App* program, int* status);
void add_train(CLI::App* program, int* status);
void add_lock(CLI::App* program, int* status);
void add_verify(CLI::App* program, int* status);
void add_convert(CLI::App* program, int* status);
void add_completion(CLI::App* program, int* status);
void add_man(CLI::App* program, int* status);

}  // namespace samebits
