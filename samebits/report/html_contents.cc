#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "samebits/report/html_parts.h"
#include "samebits/report/html_plot.h"
#include "samebits/report/html_sections.h"
#include "samebits/report/name_groups.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"
#include "samebits/report/training_parts.h"

namespace samebits {
namespace {

constexpr std::size_t kMostTensors = 20000;
constexpr std::size_t kMostModules = 20000;
constexpr std::size_t kTensorGroups = 24;

std::string fields_of(const Json& object, const std::string& separator) {
  std::string text;
  if (!object.is_object()) return text;
  for (const auto& [key, value] : object.items())
    text += (text.empty() ? "" : separator) + key + " " + value_text(value);
  return text;
}

std::string field_table(const std::string& caption, const Json& object) {
  std::string rows;
  if (!object.is_object()) return "";
  for (const auto& [key, value] : object.items())
    rows += html_row({"<th scope=\"row\">" + html_text(key) + "</th>",
                      html_cell(value.is_null() ? "null" : value_text(value))});
  return html_table({.caption = caption, .titles = {"field", "value"}, .rows = rows});
}

std::string other_candidates(const Checkpoint& checkpoint) {
  std::string text;
  for (std::size_t i = 0; i < checkpoint.candidates.size(); ++i) {
    if (i != checkpoint.chosen) text += (text.empty() ? "" : ", ") + checkpoint.candidates[i].key;
  }
  return text;
}

std::string types_of(const Checkpoint& checkpoint) {
  std::map<std::string, std::uint64_t> counts;
  for (const StoredTensor& tensor : checkpoint.entries) ++counts[stored_type(tensor)];
  std::string text;
  for (const auto& [type, count] : counts)
    text += fmt::format("{}{} of {}", text.empty() ? "" : ", ", quantity(count, "tensor"), type);
  return text;
}

std::string mode_of(const Checkpoint& checkpoint) {
  if (checkpoint.modules.empty()) return "";
  const std::size_t training = checkpoint.training_modules();
  const std::string modules = quantity(checkpoint.modules.size(), "module");
  if (training == 0) return modules + ", all in eval mode";
  return fmt::format("{}, {} in training mode", modules, grouped(training));
}

// "args.lr" 0.1: objects by their fields.
void add_value_rows(const Json& values, const std::string& path, std::string* rows) {
  constexpr std::size_t kDeepest = 6;
  for (const auto& [key, value] : values.items()) {
    const std::string name = path.empty() ? key : path + "." + key;
    const auto depth = static_cast<std::size_t>(std::count(name.begin(), name.end(), '.'));
    if (value.is_object() && depth < kDeepest) {
      add_value_rows(value, name, rows);
    } else if (!value.is_null()) {
      *rows += html_row(
          {"<th scope=\"row\">" + html_text(name) + "</th>", html_cell(value_text(value))});
    }
  }
}

std::string tensor_groups(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : checkpoint.entries) names.push_back(tensor.path);
  std::string rows;
  for (const PrefixGroup& group : group_by_prefix(names, kTensorGroups)) {
    std::uint64_t bytes = 0;
    const Shape& first = checkpoint.entries[group.members[0]].view.shape();
    bool one_shape = true;
    for (const std::uint32_t member : group.members) {
      const StoredTensor& tensor = checkpoint.entries[member];
      one_shape = one_shape && tensor.view.shape() == first;
      if (!checked_add(bytes, stored_bytes(tensor), &bytes)) bytes = ~0ull;
    }
    rows += html_row(
        {html_cell(group.text, "name"), html_cell(group.numbers),
         html_number(static_cast<double>(group.members.size()), grouped(group.members.size())),
         html_cell(one_shape ? shape_text(first) : ""),
         html_number(static_cast<double>(bytes), size_text(bytes))});
  }
  return html_table({.caption = "By module",
                     .titles = {"name", "numbers", "#tensors", "shape", "#size"},
                     .rows = rows});
}

std::string tensor_row(const Subject& subject, std::size_t index) {
  const StoredTensor& tensor = subject.checkpoint->entries[index];
  std::string text =
      html_cell(tensor.path, "name") + html_cell(stored_type(tensor)) +
      html_cell(shape_text(tensor.view.shape())) +
      html_number(static_cast<double>(stored_bytes(tensor)), size_text(stored_bytes(tensor))) +
      html_cell(role_name(tensor.role)) +
      html_number(static_cast<double>(tensor.offset), grouped(tensor.offset)) +
      html_cell(tensor.note);
  if (!subject.digests.empty())
    text += html_cell(index < subject.digests.size() ? subject.digests[index] : "", "name");
  return html_row({text});
}

std::string call_kind(const CallSummary& call) {
  if (call.plain) return "rebuilds data";
  return call.constructs ? "makes an object" : "other";
}

}  // namespace

std::string html_summary(const Checkpoint& checkpoint) {
  const bool weights = checkpoint.has_weights();
  std::vector<std::string> oddities;
  for (const Oddity& oddity : checkpoint.oddities) oddities.push_back(oddity.summary);
  return html_facts("Of the whole",
                    {{"kind", kind_label(checkpoint.kind)},
                     {"written by", fields_of(checkpoint.producer, ", ")},
                     {"model", checkpoint.description.empty() ? checkpoint.model_type
                                                              : checkpoint.description},
                     {"weights",
                      weights ? quantity(checkpoint.weights().weights.size(), "tensor") : "none"},
                     {"parameters", weights ? grouped(checkpoint.parameters()) : ""},
                     {"weights under", weights ? checkpoint.weights().key : ""},
                     {"also there", other_candidates(checkpoint)},
                     {"why these", checkpoint.choice_reason},
                     {"types", types_of(checkpoint)},
                     {"modules", mode_of(checkpoint)},
                     {"config from", checkpoint.config_from}}) +
         (oddities.empty() ? "" : "<h3>Odd</h3>\n" + html_list(oddities));
}

std::string html_config(const Checkpoint& checkpoint) {
  return field_table("Every field of the config", checkpoint.config) +
         field_table("Every field of the image processor", checkpoint.preprocessing) +
         field_table("Hyper-parameters", checkpoint.hyper_parameters);
}

std::string html_training(const Checkpoint& checkpoint) {
  const TrainingState& state = checkpoint.training;
  std::string rows;
  bool any = false;
  for (const auto& [name, part] : kTrainingParts) {
    const std::optional<std::string>& place = state.*part;
    any = any || place.has_value();
    rows += html_row({"<th scope=\"row\">" + std::string(name) + "</th>",
                      html_cell(place ? "present" : "not found", place ? "good" : ""),
                      html_cell(place.value_or(""), "name")});
  }
  std::string values;
  add_value_rows(state.values, "", &values);
  if (!any && values.empty()) return "";
  return html_table({.caption = "What a training left beside the weights",
                     .titles = {"part", "state", "where"},
                     .rows = any ? rows : ""}) +
         html_table({.caption = "By value", .titles = {"name", "value"}, .rows = values});
}

std::string html_modules(const Checkpoint& checkpoint) {
  std::string rows;
  const std::size_t shown = std::min(checkpoint.modules.size(), kMostModules);
  for (std::size_t i = 0; i < shown; ++i) {
    const ModuleRecord& module = checkpoint.modules[i];
    rows += html_row({html_cell(module.path.empty() ? "(the root)" : module.path, "name"),
                      html_cell(module.class_path, "name"),
                      html_cell(module.training ? "training" : "eval"),
                      html_cell(fields_of(module.hyper, ", ")),
                      html_number(module.hooks, grouped(module.hooks))});
  }
  return html_fold(quantity(checkpoint.modules.size(), "module"),
                   html_table({.caption = "Every module",
                               .titles = {"path", "class", "mode", "plain attributes", "#hooks"},
                               .rows = rows,
                               .interactive = true}));
}

std::string html_calls(const Checkpoint& checkpoint) {
  std::vector<const CallSummary*> calls;
  for (const CallSummary& call : checkpoint.calls) calls.push_back(&call);
  const auto is_usual = [](const CallSummary* call) { return call->plain || call->constructs; };
  std::ranges::stable_sort(calls, {}, is_usual);
  std::string rows;
  for (const CallSummary* call : calls)
    rows += html_row({html_cell(call->global, "name"), html_cell(call_kind(*call)),
                      html_cell(call->how),
                      html_number(static_cast<double>(call->count), grouped(call->count)),
                      html_cell(call->arguments, "name")});
  const auto others = static_cast<std::uint64_t>(
      std::ranges::count_if(calls, [&](const CallSummary* call) { return !is_usual(call); }));
  const std::string summary =
      others == 0 ? "<p>All of them rebuild data or make objects of a model.</p>\n"
                  : fmt::format(
                        "<p class=\"bad\">{} of these {} neither rebuild data nor make "
                        "objects of a model. They come first.</p>\n",
                        grouped(others), grouped(calls.size()));
  return rows.empty()
             ? ""
             : summary + html_table({.caption = "Every function and class, none was called",
                                     .titles = {"name", "what for", "by", "#times",
                                                "arguments of the first"},
                                     .rows = rows,
                                     .interactive = true});
}

std::string html_bytes(const Checkpoint& checkpoint) {
  std::string body;
  for (std::uint32_t file = 0; file < checkpoint.files.size(); ++file) {
    std::vector<ByteRange> ranges;
    std::map<ByteUse, std::uint64_t> uses;
    std::uint64_t total = 0;
    for (const ByteRange& range : checkpoint.bytes) {
      if (range.file != file || range.end <= range.begin) continue;
      ranges.push_back(range);
      uses[range.use] += range.end - range.begin;
      total += range.end - range.begin;
    }
    if (ranges.empty()) continue;
    std::string rows;
    for (const auto& [use, bytes] : uses)
      rows += "<tr><th scope=\"row\"><span class=\"key u" + std::to_string(static_cast<int>(use)) +
              "\"></span> " + byte_use_name(use) + "</th>" +
              html_number(static_cast<double>(bytes), grouped(bytes)) +
              html_number(static_cast<double>(bytes), percent(bytes, total)) + "</tr>\n";
    body += "<figure><figcaption>" + html_text(checkpoint.files[file].path) +
            ", from its first byte to its last</figcaption>" + byte_map(ranges) + "</figure>\n" +
            html_table(
                {.caption = "Bytes by use", .titles = {"use", "#bytes", "#share"}, .rows = rows});
  }
  return body;
}

std::string html_tensors(const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  std::string rows;
  const std::size_t shown = std::min(checkpoint.entries.size(), kMostTensors);
  for (std::size_t i = 0; i < shown; ++i) rows += tensor_row(subject, i);
  std::vector<std::string> titles = {"tensor", "type",     "shape", "#size",
                                     "role",   "#at byte", "note"};
  if (!subject.digests.empty()) titles.emplace_back("SHA-256");
  std::string left_out;
  if (checkpoint.entries.size() > shown)
    left_out = fmt::format("<p>{} more tensors are not shown here.</p>\n",
                           grouped(checkpoint.entries.size() - shown));
  return tensor_groups(checkpoint) +
         html_fold("Every tensor: " + grouped(checkpoint.entries.size()),
                   html_table({.caption = "Every tensor, in the order of the file",
                               .titles = titles,
                               .rows = rows,
                               .interactive = true}) +
                       left_out);
}

}  // namespace samebits
