// The options of samebits train, as they were chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "samebits/cli/options.h"
#include "samebits/train/trainer.h"

namespace samebits {

struct TrainChoices {
  TrainRequest request;
  ResumeRequest again;
  ReportOptions report;
  std::string out, resume, isa, schedule;
  std::vector<std::string> exports;  // formats
  std::uint64_t trace_step = 0;
  bool tensorboard = false;
  bool no_decay = false, norm_pix_loss = false, no_norm_pix_loss = false;
  bool says_optimizer = false;  // one of the options that --continue takes from elsewhere

  const std::string& folder() const { return resume.empty() ? out : resume; }
};

/// All but those that other commands have, too.
void add_train_options(CLI::App* command, TrainChoices* chosen);

}  // namespace samebits
