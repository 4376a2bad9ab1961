#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "samebits/compare/trace.h"
#include "samebits/explain/scope.h"
#include "samebits/report/name_groups.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"
#include "samebits/report/training_parts.h"

namespace samebits {
namespace {

constexpr std::size_t kPrefixes = 12;      // lines of the summary of tensors
constexpr std::size_t kConfigFields = 12;  // config fields
constexpr std::size_t kCalls = 10;         // calls that are not plain
constexpr std::size_t kOddities = 8;
constexpr std::size_t kUnderContents = Screen::kIndent + Screen::kLabel;

// What a person asks of a vision transformer first, in this order.
constexpr std::array<const char*, 22> kMainFields = {"model_type",
                                                     "architectures",
                                                     "hidden_size",
                                                     "num_hidden_layers",
                                                     "num_attention_heads",
                                                     "intermediate_size",
                                                     "image_size",
                                                     "patch_size",
                                                     "num_channels",
                                                     "hidden_act",
                                                     "layer_norm_eps",
                                                     "qkv_bias",
                                                     "mask_ratio",
                                                     "norm_pix_loss",
                                                     "decoder_hidden_size",
                                                     "decoder_num_hidden_layers",
                                                     "decoder_num_attention_heads",
                                                     "hidden_dropout_prob",
                                                     "attention_probs_dropout_prob",
                                                     "num_labels",
                                                     "dtype",
                                                     "torch_dtype"};

using Totals = std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>;  // count, bytes

std::string dtypes_text(const Checkpoint& checkpoint, const std::vector<std::uint32_t>& which) {
  Totals totals;
  for (const std::uint32_t index : which) {
    const StoredTensor& tensor = checkpoint.entries.at(index);
    ++totals[stored_type(tensor)].first;
  }
  std::string text;
  for (const auto& [dtype, total] : totals) {
    if (!text.empty()) text += ", ";
    if (totals.size() > 1) text += grouped(total.first) + " ";
    text += dtype;
  }
  return text;
}

std::uint64_t bytes_of(const Checkpoint& checkpoint, const std::vector<std::uint32_t>& which) {
  std::uint64_t bytes = 0;
  for (const std::uint32_t index : which) {
    // A sum for a person: it stops at the largest number rather than wrap around.
    if (!checked_add(bytes, stored_bytes(checkpoint.entries.at(index)), &bytes)) return ~0ull;
  }
  return bytes;
}

void written_row(const Checkpoint& checkpoint, Screen* screen) {
  std::vector<std::string> phrases;
  if (checkpoint.producer.is_object()) {
    for (const auto& [library, version] : checkpoint.producer.items()) {
      phrases.push_back(library + " " + value_text(version));
    }
  }
  if (phrases.empty()) phrases.push_back("the file does not say by what");
  screen->phrases("written", phrases);
}

void candidates_rows(const Checkpoint& checkpoint, Screen* screen) {
  if (checkpoint.candidates.size() < 2) return;
  std::string others;
  for (std::size_t i = 0; i < checkpoint.candidates.size(); ++i) {
    if (i == checkpoint.chosen) continue;
    others += (others.empty() ? "also there: " : ", ");
    others += "\"" + checkpoint.candidates[i].key + "\"";
  }
  screen->phrases("weights",
                  {"under \"" + checkpoint.weights().key + "\"", checkpoint.choice_reason, others});
}

// Optimizer moments, generator states and the like, one line a role.
void other_roles_rows(const Checkpoint& checkpoint, Screen* screen) {
  Totals totals;
  for (const StoredTensor& tensor : checkpoint.entries) {
    const bool listed = tensor.role == TensorRole::optimizer || tensor.role == TensorRole::rng ||
                        tensor.role == TensorRole::other || tensor.role == TensorRole::transient;
    if (!listed) continue;
    auto& total = totals[role_name(tensor.role)];
    ++total.first;
    if (!checked_add(total.second, stored_bytes(tensor), &total.second)) total.second = ~0ull;
  }
  for (const auto& [role, total] : totals) {
    screen->phrases("", {fmt::format("and {} of role {}", quantity(total.first, "tensor"), role),
                         size_text(total.second)});
  }
}

void prefix_table(const Checkpoint& checkpoint, const std::vector<std::uint32_t>& weights,
                  Screen* screen) {
  std::vector<std::string> names;
  for (const std::uint32_t index : weights) {
    const StoredTensor& tensor = checkpoint.entries.at(index);
    names.push_back(tensor.name.empty() ? tensor.path : tensor.name);
  }
  const std::vector<PrefixGroup> groups = group_by_prefix(names, kPrefixes);
  std::vector<std::vector<std::string>> rows;
  std::size_t left_out = 0;
  for (const PrefixGroup& group : groups) {
    if (rows.size() == 2 * kPrefixes) {
      left_out += group.members.size();
      continue;
    }
    std::vector<std::uint32_t> members;
    for (const std::uint32_t member : group.members) members.push_back(weights[member]);
    const Shape& first = checkpoint.entries.at(members[0]).view.shape();
    const bool one_shape = std::all_of(members.begin(), members.end(), [&](std::uint32_t index) {
      return checkpoint.entries.at(index).view.shape() == first;
    });
    rows.push_back({group.text, grouped(members.size()), one_shape ? shape_text(first) : "",
                    size_text(bytes_of(checkpoint, members))});
  }
  screen->table(kUnderContents,
                {{.title = "name", .give = Column::Give::elide},
                 {.title = "tensors", .right = true},
                 {.title = "shape", .give = Column::Give::wrap},
                 {.title = "size", .right = true}},
                rows);
  if (left_out > 0) screen->row("", and_more(left_out));
}

void points_rows(const Checkpoint& trace, Screen* screen) {
  const std::vector<std::uint32_t> points = trace_points(trace);
  screen->phrases("points", {grouped(points.size()), size_text(bytes_of(trace, points)),
                             dtypes_text(trace, points)});
  prefix_table(trace, points, screen);
}

void tensors_rows(const Checkpoint& checkpoint, bool all, Screen* screen) {
  if (checkpoint.kind == CheckpointKind::trace) return points_rows(checkpoint, screen);
  if (!checkpoint.has_weights()) {
    screen->row("tensors", checkpoint.entries.empty() ? "none" : "none that are a model's weights");
    other_roles_rows(checkpoint, screen);
    return;
  }
  const std::vector<std::uint32_t>& weights = checkpoint.weights().weights;
  screen->phrases("tensors",
                  {grouped(weights.size()), quantity(checkpoint.parameters(), "parameter"),
                   size_text(bytes_of(checkpoint, weights)), dtypes_text(checkpoint, weights)});
  other_roles_rows(checkpoint, screen);
  if (!all) prefix_table(checkpoint, weights, screen);
}

void config_row(const Checkpoint& checkpoint, Screen* screen) {
  if (!checkpoint.config.is_object()) return;
  std::vector<std::string> phrases;
  for (const char* field : kMainFields) {
    const auto found = checkpoint.config.find(field);
    if (found == checkpoint.config.end() || found->is_null() || phrases.size() == kConfigFields)
      continue;
    phrases.push_back(std::string(field) + " " + elide_middle(printable(value_text(*found)), 40));
  }
  const std::size_t left_out = checkpoint.config.size() - phrases.size();
  if (left_out > 0) phrases.push_back(fmt::format("and {}", quantity(left_out, "more field")));
  if (!checkpoint.config_from.empty()) phrases.push_back("(" + checkpoint.config_from + ")");
  screen->phrases("config", phrases);
}

void mode_row(const Checkpoint& checkpoint, Screen* screen) {
  if (checkpoint.modules.empty()) return;
  std::vector<std::string> names;
  for (const ModuleRecord& module : checkpoint.modules) {
    if (module.training) names.push_back(module.path.empty() ? "(the root)" : module.path);
  }
  screen->phrases(
      "mode", {quantity(checkpoint.modules.size(), "module"),
               names.empty() ? "all in eval mode" : grouped(names.size()) + " in training mode"});
  constexpr std::size_t kShown = 4;
  const std::vector<PrefixGroup> groups = group_by_prefix(names, kShown);
  for (std::size_t i = 0; i < std::min(groups.size(), kShown); ++i) {
    screen->phrases("", {groups[i].text, groups[i].numbers});
  }
  if (groups.size() > kShown) screen->row("", and_more(groups.size() - kShown));
}

void training_rows(const Checkpoint& checkpoint, Screen* screen) {
  const TrainingState& state = checkpoint.training;
  std::vector<std::vector<std::string>> rows;
  std::string absent;
  for (const auto& [name, part] : kTrainingParts) {
    const std::optional<std::string>& place = state.*part;
    if (place) {
      rows.push_back({name, *place});
    } else {
      absent += (absent.empty() ? "" : ", ") + std::string(name);
    }
  }
  if (rows.empty()) return;
  screen->row("training", absent.empty() ? "complete" : "without " + absent);
  screen->table(kUnderContents, {{}, {.give = Column::Give::elide}}, rows);
}

// "args.lr 0.1": objects by their fields, as far as one screen goes.
void add_values(const Json& values, const std::string& path, std::vector<std::string>* phrases) {
  constexpr std::size_t kDeepest = 4;
  for (const auto& [key, value] : values.items()) {
    const std::string name = path.empty() ? key : path + "." + key;
    const auto depth = static_cast<std::size_t>(std::count(name.begin(), name.end(), '.'));
    if (value.is_structured() && depth < kDeepest) {
      add_values(value, name, phrases);
    } else if (!value.is_null()) {
      phrases->push_back(printable(name) + " " + elide_middle(printable(value_text(value)), 40));
    }
  }
}

void values_row(const Checkpoint& checkpoint, Screen* screen) {
  constexpr std::size_t kShown = 24;
  std::vector<std::string> phrases;
  // What the optimizer and its schedule say of themselves is long, and comes last.
  Json first = Json::object();
  Json last = Json::object();
  for (const auto& [key, value] : checkpoint.training.values.items())
    (key == "param_groups" || key.find("sched") != std::string::npos ? last : first)[key] = value;
  add_values(first, "", &phrases);
  add_values(last, "", &phrases);
  if (phrases.empty()) return;
  if (phrases.size() > kShown) {
    const std::size_t left_out = phrases.size() - kShown;
    phrases.resize(kShown);
    phrases.push_back(and_more(left_out));
  }
  screen->phrases("values", phrases);
}

// What an image processor does, as preprocessor_config.json says.
void preprocessing_row(const Checkpoint& checkpoint, Screen* screen) {
  if (!checkpoint.preprocessing.is_object()) return;
  std::vector<std::string> phrases;
  for (const char* field : {"image_processor_type", "feature_extractor_type", "do_resize", "size",
                            "resample", "do_center_crop", "crop_size", "do_rescale",
                            "rescale_factor", "do_normalize", "image_mean", "image_std"}) {
    const auto found = checkpoint.preprocessing.find(field);
    if (found == checkpoint.preprocessing.end() || found->is_null()) continue;
    phrases.push_back(std::string(field) + " " + elide_middle(printable(value_text(*found)), 60));
  }
  screen->phrases("images", phrases.empty()
                                ? std::vector<std::string>{"no field of an image processor"}
                                : phrases);
}

// Objects of a model's classes are only counted: a whole module makes hundreds of them.
void calls_rows(const Checkpoint& checkpoint, Screen* screen) {
  if (checkpoint.calls.empty()) return;
  std::uint64_t plain = 0;
  std::uint64_t constructing = 0;
  std::vector<std::vector<std::string>> rows;
  std::size_t left_out = 0;
  for (const CallSummary& call : checkpoint.calls) {
    if (call.plain || call.constructs) {
      (call.plain ? plain : constructing) += call.count;
    } else if (rows.size() == kCalls) {
      ++left_out;
    } else {
      rows.push_back({call.global, call.how, grouped(call.count), call.arguments});
    }
  }
  screen->phrases(
      "calls", {grouped(plain) + " that rebuild data",
                constructing > 0 ? grouped(constructing) + " that make modules and the like" : "",
                rows.empty() ? "no others" : "and these:"});
  screen->table(kUnderContents,
                {{.give = Column::Give::elide}, {}, {.right = true}, {.give = Column::Give::elide}},
                rows);
  if (left_out > 0) screen->row("", and_more(left_out));
}

void oddities_rows(const Checkpoint& checkpoint, Screen* screen) {
  const std::vector<Oddity>& oddities = checkpoint.oddities;
  for (std::size_t i = 0; i < std::min(oddities.size(), kOddities); ++i) {
    screen->row(i == 0 ? "odd" : "", oddities[i].summary);
  }
  if (oddities.size() > kOddities) screen->row("", and_more(oddities.size() - kOddities));
}

void bytes_rows(const Checkpoint& checkpoint, Screen* screen) {
  std::map<ByteUse, std::uint64_t> uses;
  std::uint64_t total = 0;
  for (const ByteRange& range : checkpoint.bytes) {
    uses[range.use] += range.end - range.begin;
    total += range.end - range.begin;
  }
  if (uses.empty()) return;
  const std::string files = quantity(checkpoint.files.size(), "file");
  screen->phrases("bytes", {grouped(total) + " in " + files});
  std::vector<std::vector<std::string>> rows;
  for (const auto& [use, bytes] : uses) {
    rows.push_back({byte_use_name(use), grouped(bytes), percent(bytes, total)});
  }
  screen->table(kUnderContents, {{}, {.right = true}, {.right = true}}, rows);
}

void every_tensor(const Report& report, const Subject& subject, Screen* screen) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  screen->blank();
  for (std::size_t i = 0; i < checkpoint.entries.size(); ++i) {
    const StoredTensor& tensor = checkpoint.entries[i];
    if (!is_listed(report, tensor)) continue;
    screen->line(Screen::kIndent,
                 fmt::format("{}   {}{}   {}   at {}{}", tensor.path, stored_type(tensor),
                             shape_text(tensor.view.shape()), size_text(stored_bytes(tensor)),
                             tensor.offset, tensor.note.empty() ? "" : "   " + tensor.note));
    if (i < subject.digests.size() && !subject.digests[i].empty()) {
      screen->line(2 * Screen::kIndent, "sha256 " + subject.digests[i]);
    }
  }
}

}  // namespace

void contents_section(const Report& report, const Subject& subject, bool all, Screen* screen) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  const bool listed = all || !subject.digests.empty() || report.scope.filter;
  screen->blank();
  written_row(checkpoint, screen);
  candidates_rows(checkpoint, screen);
  tensors_rows(checkpoint, listed, screen);
  config_row(checkpoint, screen);
  preprocessing_row(checkpoint, screen);
  mode_row(checkpoint, screen);
  training_rows(checkpoint, screen);
  values_row(checkpoint, screen);
  calls_rows(checkpoint, screen);
  oddities_rows(checkpoint, screen);
  bytes_rows(checkpoint, screen);
  if (listed) every_tensor(report, subject, screen);
}

}  // namespace samebits
