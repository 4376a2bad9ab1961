#include "samebits/report/conversion.h"

#include <fmt/format.h>

#include "samebits/report/json.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

Json conversion_json(const Converted& done, const std::string& input) {
  return {{"schema", "samebits.convert/1"},
          {"tool", {{"version", tool_version()}}},
          {"input", input},
          {"output", done.output},
          {"files", done.files},
          {"tensors", done.tensors},
          {"bytes", done.bytes},
          {"target", done.target.empty() ? Json() : Json(done.target)},
          {"renamed", done.renamed},
          {"cast", done.cast},
          {"rounded", done.rounded},
          {"dequantized", done.dequantized},
          {"merged", done.merged},
          {"tied", done.tied},
          {"verified", true},
          {"left_out", done.left_out},
          {"assumed", done.assumed}};
}

std::string line_of(std::string_view label, const std::string& text) {
  std::string lines;
  for (const std::string& part : wrap(printable(text), 68)) {
    lines += fmt::format("  {:<9} {}\n", lines.empty() ? label : "", part);
  }
  return lines;
}

std::string merged_text(const Converted& done) {
  const std::string weights =
      fmt::format("a {} into {}", done.adapter_kind, counted(done.merged, "weight"));
  if (done.whole == 0) return weights;
  return weights + fmt::format("; {} of the adapter's own in the place of the base's",
                               counted(done.whole, "tensor"));
}

}  // namespace

std::string conversion_text(const Converted& done, const std::string& input, bool json) {
  if (json) return json_lines(conversion_json(done, input));
  std::string text = fmt::format("wrote {}: {} in {}, read back and compared bit for bit\n\n",
                                 printable(done.output), counted(done.tensors, "tensor"),
                                 counted(done.files.size(), "file"));
  if (!done.target.empty())
    text += line_of(
        "names",
        fmt::format("{} renamed, cut or stacked, for {}",
                    counted_of(done.renamed, done.tensors, "tensor", "was", "were"), done.target));
  if (done.cast > 0)
    text +=
        line_of("types", counted(done.cast, "tensor", "was", "were") +
                             (done.rounded == 0
                                  ? std::string(" cast; no value changed")
                                  : fmt::format(" cast; values of {} were rounded", done.rounded)));
  if (done.dequantized > 0)
    text +=
        line_of("numbers", fmt::format("{} written as the numbers that {} ({})",
                                       counted(done.dequantized, "quantized weight", "is", "are"),
                                       done.dequantized == 1 ? "it says" : "they say", done.forms));
  if (done.merged > 0) text += line_of("merged", merged_text(done));
  if (done.tied > 0)
    text += line_of("ties", fmt::format("{} for a tensor that another name has too",
                                        counted(done.tied, "name", "stands", "stand")));
  for (const std::string& each : done.assumed) text += line_of("assumed", each);
  for (const std::string& each : done.left_out) text += line_of("left out", each);
  if (text.ends_with("\n\n")) text.pop_back();
  return text;
}

std::string repair_text(const Repaired& done, const std::string& input, bool json) {
  const std::string loads = fmt::format("{} of {} load into {}", done.loaded,
                                        counted(done.target_tensors, "tensor"), done.target);
  if (!json)
    return conversion_text(done.written, input, false) + line_of("loads", loads) +
           line_of("outputs", done.outputs);
  Json object = conversion_json(done.written, input);
  object["loads"] = {
      {"target", done.target}, {"loaded", done.loaded}, {"target_tensors", done.target_tensors}};
  object["outputs"] = done.outputs;
  return json_lines(object);
}

}  // namespace samebits
