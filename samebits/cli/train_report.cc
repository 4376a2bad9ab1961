#include "samebits/cli/train_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "samebits/base/float_mode.h"
#include "samebits/base/json.h"
#include "samebits/report/json.h"
#include "samebits/report/text.h"
#include "samebits/train/metrics_file.h"

namespace samebits {
namespace {

constexpr const char* kSchema = "samebits.train/1";

double total_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

Json numbers_of(const std::vector<float>& values) {
  Json numbers = Json::array();
  for (const float each : values) numbers.push_back(json_number(static_cast<double>(each)));
  return numbers;
}

std::string number_text(float value) { return python_number(static_cast<double>(value)); }

}  // namespace

std::string train_json_text(const TrainReport& report) {
  const FloatMode contract;
  Json validation = Json::array();
  for (const auto& [step, loss] : report.validation)
    validation.push_back({{"step", step}, {"loss", json_number(static_cast<double>(loss))}});
  const Json json = {{"schema", kSchema},
                     {"model", report.model},
                     {"run", report.run},
                     {"first_step", report.first_step},
                     {"steps", report.last_step},
                     {"steps_asked", report.steps},
                     {"loss", numbers_of(report.loss)},
                     {"validation", validation},
                     {"checkpoint", report.checkpoint},
                     {"weights_sha256", report.weights_sha256},
                     {"stopped", report.stopped.empty() ? Json() : Json(report.stopped)},
                     {"exports", report.exports},
                     {"notes", report.notes},
                     {"isa", report.isa},
                     {"threads", report.threads},
                     {"processes", report.processes},
                     {"timing",
                      {{"load_s", report.load_s},
                       {"step_s", report.step_s},
                       {"save_s", report.save_s},
                       {"communication_s", report.communication_s},
                       {"waiting_s", report.waiting_s}}}};
  return json_text(json) + "\n";
}

std::string train_failure_json(const std::string& run, const std::string& why) {
  return json_text({{"schema", kSchema}, {"run", run}, {"not_checked", Json::array({why})}}) + "\n";
}

std::string render_training(const TrainReport& report) {
  const FloatMode contract;
  std::string text =
      fmt::format("{}: step {} of {}\n\n", report.stopped.empty() ? "trained" : "stopped and saved",
                  report.last_step, report.steps);
  const auto line = [&](const char* what, const std::string& value) {
    text += fmt::format("  {:<10}{}\n", what, value);
  };
  line("model", printable(report.model));
  if (!report.loss.empty()) {
    line("loss", fmt::format("{} in step {}, {} in step {}", number_text(report.loss.front()),
                             report.first_step, number_text(report.loss.back()), report.last_step));
  }
  if (!report.validation.empty())
    line("val loss", fmt::format("{} after step {}", number_text(report.validation.back().second),
                                 report.validation.back().first));
  line("saved", printable(report.checkpoint));
  for (const std::string& path : report.exports) line("exported", printable(path));
  line("weights", "sha256 " + report.weights_sha256);
  for (const std::string& note : report.notes) line("note", note);
  if (!report.stopped.empty())
    text +=
        fmt::format("\n  {} ended it early: samebits train --resume {} goes on to the same bits\n",
                    report.stopped, printable(report.run));
  return text;
}

std::string training_progress(const TrainReport& report) {
  const double seconds = total_of(report.step_s);
  const double mean = seconds / static_cast<double>(std::max<std::size_t>(1, report.step_s.size()));
  return fmt::format("{}: step {} of {}, loss {:.5g}, {:.3g} images/s, {:.0f} s left",
                     printable(report.run), report.last_step, report.steps,
                     report.loss.empty() ? 0.0F : report.loss.back(),
                     seconds > 0 ? static_cast<double>(report.images) / seconds : 0.0,
                     std::ceil(mean * static_cast<double>(report.steps - report.last_step)));
}

}  // namespace samebits
