// The options that say what a model is run on: of run and of explain.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "samebits/run/run_request.h"

namespace samebits {

struct InputOptions {
  InputRequest chosen;
  std::optional<std::string> randn;  // "8x3x224x224"
  int pillow = 13;

  /// Errors: usage, for a shape that is none.
  Result<InputRequest> request() const;
  /// Every file that is named; "" where one is not.
  std::vector<std::string> files() const;
};

void add_input_options(CLI::App* command, InputOptions* options);

}  // namespace samebits
