// metrics.csv of a training, as Lightning's CSVLogger writes it: one row for every step, and one
// for every validation.
//
// Source: lightning_fabric/loggers/csv_logs.py of Lightning 2.6.6. Columns stand in the order of
// their names, lines end in CR LF, steps count from 0, numbers are written as Python writes them.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include "samebits/base/error.h"

namespace samebits {

class MetricsFile {
 public:
  /// Rows of steps from `steps_done` on, which a training that was killed may have left, are taken
  /// away. Errors: io.
  static Result<MetricsFile> open(const std::string& path, std::uint64_t steps_done,
                                  bool validation);

  /// `step` from 0. Each row is in the file when this returns. Errors: io.
  Result<void> add_loss(std::uint64_t epoch, std::uint64_t step, float loss);
  Result<void> add_validation(std::uint64_t epoch, std::uint64_t step, float loss);

 private:
  Result<void> add(const std::string& row);

  std::string path_;
  bool validation_ = false;
  std::ofstream file_;
};

/// As Python's repr() of the float: "0.25", "1.0", "1e-05".
std::string python_number(double value);

}  // namespace samebits
