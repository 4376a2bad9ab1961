// The module samebits._native.
#include <chrono>

#include <nanobind/nanobind.h>

#include "samebits/kernels/kernel_choice.h"
#include "samebits/python/bindings.h"
#include "samebits/python/work.h"
#include "samebits/report/json.h"

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

NB_MODULE(_native, module) {
  nanobind::set_leak_warnings(false);  // at the end of a program that still has a report
  samebits::measure_kernels_with(seconds_now);
  samebits::python::widen_stacks();
  module.attr("version") = samebits::tool_version();
  samebits::python::bind_checkpoints(module);
  samebits::python::bind_reports(module);
  samebits::python::bind_identity(module);
  samebits::python::bind_runs(module);
  samebits::python::bind_generator(module);
}
