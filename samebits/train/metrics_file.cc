#include "samebits/train/metrics_file.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "samebits/base/atomic_write.h"

namespace samebits {
namespace {

Error metrics_error(const std::string& path, const std::string& what) {
  return {.code = ErrorCode::io, .what = what, .file = path};
}

/// The second column of a row; nothing where it is none.
std::optional<std::uint64_t> step_of_row(const std::string& row) {
  const std::size_t begin = row.find(',') + 1;
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(row.data() + begin, row.data() + row.size(), step);
  const bool whole = begin > 0 && error == std::errc() && *end == ',' && row.ends_with("\r");
  return whole ? std::optional(step) : std::nullopt;
}

}  // namespace

std::string python_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::fabs(value);
  constexpr double kFixedFrom = 1e-4;
  constexpr double kFixedTo = 1e16;
  if (value != 0 && (size < kFixedFrom || size >= kFixedTo)) return fmt::format("{}", value);
  std::string text = fmt::format("{}", value);
  if (text.find('e') != std::string::npos) text = fmt::format("{:.1f}", value);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

Result<MetricsFile> MetricsFile::open(const std::string& path, std::uint64_t steps_done,
                                      bool validation) {
  MetricsFile metrics;
  metrics.path_ = path;
  metrics.validation_ = validation;
  std::string kept =
      validation ? "epoch,step,train_loss,val_loss\r\n" : "epoch,step,train_loss\r\n";
  if (std::ifstream before(path, std::ios::binary); before) {
    std::string row;
    for (bool header = true; std::getline(before, row); header = false) {
      const auto step = step_of_row(row);
      if (!header && step && *step < steps_done) kept += row + "\n";
    }
  }
  SAMEBITS_TRY_VOID(atomic_write(path, std::string_view(kept)));
  metrics.file_.open(path, std::ios::binary | std::ios::app);
  if (!metrics.file_) return fail(metrics_error(path, "the file cannot be opened"));
  return metrics;
}

Result<void> MetricsFile::add(const std::string& row) {
  file_ << row << "\r\n" << std::flush;
  if (!file_) return fail(metrics_error(path_, "the file cannot be written"));
  return {};
}

Result<void> MetricsFile::add_loss(std::uint64_t epoch, std::uint64_t step, float loss) {
  return add(fmt::format("{},{},{}{}", epoch, step, python_number(static_cast<double>(loss)),
                         validation_ ? "," : ""));
}

Result<void> MetricsFile::add_validation(std::uint64_t epoch, std::uint64_t step, float loss) {
  return add(fmt::format("{},{},,{}", epoch, step, python_number(static_cast<double>(loss))));
}

}  // namespace samebits
