// The program: its own stack and signals, then one command.
#include <chrono>

#include "samebits/cli/bus_error.h"
#include "samebits/cli/command_line.h"
#include "samebits/cli/process.h"
#include "samebits/kernels/kernel_choice.h"

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
  samebits::open_standard_files();
  samebits::set_signals();
  samebits::share_memory_where_it_is_limited();
  samebits::measure_kernels_with(seconds_now);
  return samebits::run_on_own_stack([&] {
    samebits::print_on_bus_error(samebits::bus_error_report(argc, argv));
    return samebits::run_command_line(argc, argv);
  });
}
