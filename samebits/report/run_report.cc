#include "samebits/report/run_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "samebits/base/float_mode.h"
#include "samebits/report/json.h"
#include "samebits/report/screen.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

std::string shape_of(const RunOutput& output) {
  return fmt::format("[{}]", fmt::join(output.shape, ", "));
}

std::string milliseconds(double seconds) { return fmt::format("{:.1f} ms", seconds * 1000); }

void outputs_table(const RunReport& report, Screen* screen) {
  std::vector<std::vector<std::string>> rows;
  for (const RunOutput& output : report.outputs) {
    rows.push_back({output.name, output.dtype, shape_of(output), short_number(output.mean),
                    short_number(output.smallest), short_number(output.largest),
                    output.sha256.substr(0, 8)});
  }
  screen->table(Screen::kIndent,
                {{.title = "output"},
                 {.title = "type"},
                 {.title = "shape"},
                 {.title = "mean", .right = true},
                 {.title = "least", .right = true},
                 {.title = "most", .right = true},
                 {.title = "sha256"}},
                rows);
  for (const RunOutput& output : report.outputs) {
    if (output.not_finite == 0) continue;
    screen->row("risk",
                fmt::format("{} has {} values that are not finite", output.name,
                            grouped(output.not_finite)),
                Tone::warn);
  }
}

void top_table(const RunReport& report, Screen* screen) {
  if (report.top.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const RunClass& each : report.top)
    rows.push_back({std::to_string(each.image), std::to_string(each.index), each.label,
                    fmt::format("{:.4f}", each.logit)});
  screen->blank();
  screen->table(Screen::kIndent,
                {{.title = "image", .right = true},
                 {.title = "class", .right = true},
                 {.title = "label", .give = Column::Give::elide},
                 {.title = "logit", .right = true}},
                rows);
}

std::string timing(const RunReport& report) {
  std::vector<double> sorted = report.forward_s;
  std::sort(sorted.begin(), sorted.end());
  std::string text = "forward " + milliseconds(sorted[sorted.size() / 2]);
  if (sorted.size() > 1)
    text += fmt::format(" (median of {}, {} to {})", sorted.size(), milliseconds(sorted.front()),
                        milliseconds(sorted.back()));
  return text;
}

}  // namespace

std::string run_failure_json(const std::string& model, const std::string& why) {
  const Json json = {{"schema", "samebits.run/1"},
                     {"model", model},
                     {"outputs", Json::array()},
                     {"not_checked", Json::array({why})}};
  return json_lines(json);
}

std::string run_json_text(const RunReport& report) {
  const FloatMode contract;
  Json outputs = Json::array();
  for (const RunOutput& output : report.outputs) {
    outputs.push_back({{"name", output.name},
                       {"dtype", output.dtype},
                       {"shape", output.shape},
                       {"sha256", output.sha256},
                       {"mean", json_number(output.mean)},
                       {"min", json_number(output.smallest)},
                       {"max", json_number(output.largest)},
                       {"not_finite", output.not_finite}});
  }
  Json top = Json::array();
  for (const RunClass& each : report.top) {
    top.push_back({{"image", each.image},
                   {"class", each.index},
                   {"label", each.label.empty() ? Json() : Json(each.label)},
                   {"logit", json_number(each.logit)}});
  }
  const Json json = {{"schema", "samebits.run/1"},
                     {"model", report.model},
                     {"outputs", std::move(outputs)},
                     {"top", std::move(top)},
                     {"timing", {{"load_s", report.load_s}, {"forward_s", report.forward_s}}},
                     {"isa", report.isa},
                     {"isa_reason", report.isa_reason},
                     {"threads", report.threads},
                     {"assumed", report.assumed},
                     {"notes", report.notes}};
  return json_lines(json);
}

std::string render_run(const RunReport& report, int width) {
  const FloatMode contract;
  Screen screen({.width = width});
  outputs_table(report, &screen);
  top_table(report, &screen);
  screen.blank();
  screen.phrases("run", {report.isa, quantity(static_cast<std::uint64_t>(report.threads), "thread"),
                         "load " + milliseconds(report.load_s), timing(report)});
  for (const std::string& line : report.assumed) screen.row("assumed", line);
  for (const std::string& line : report.notes) screen.row("note", line);
  return screen.take();
}

}  // namespace samebits
