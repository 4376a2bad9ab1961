#include "samebits/explain/subjects.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "samebits/base/parallel.h"
#include "samebits/explain/computed_findings.h"
#include "samebits/explain/layout_findings.h"
#include "samebits/explain/quantized_stats.h"
#include "samebits/explain/scope.h"
#include "samebits/explain/tensor_roles.h"
#include "samebits/explain/tied_findings.h"
#include "samebits/explain/unpaired.h"

namespace samebits {
namespace {

std::vector<NamedTensor> tensors_of(const Checkpoint& checkpoint,
                                    const std::vector<std::uint32_t>& indexes,
                                    const std::string& key) {
  const bool chosen = checkpoint.has_weights() && checkpoint.weights().key == key;
  const std::size_t prefix =
      key.empty() || checkpoint.kind == CheckpointKind::hf_directory ? 0 : key.size() + 1;
  std::vector<NamedTensor> tensors;
  tensors.reserve(indexes.size());
  for (const std::uint32_t index : indexes) {
    const StoredTensor& tensor = checkpoint.entries[index];
    std::string name =
        chosen ? tensor.name : tensor.path.substr(std::min(prefix, tensor.path.size()));
    tensors.push_back({.name = std::move(name),
                       .view = tensor.view,
                       .storage = tensor.storage,
                       .readable = tensor.readable,
                       .identity = tensor.identity});
  }
  return tensors;
}

bool have_same_names(const std::vector<NamedTensor>& x, const std::vector<NamedTensor>& y) {
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](const auto& p, const auto& q) { return p.name == q.name; });
}

bool lacks_key(const std::optional<Result<Checkpoint>>& opened) {
  return !*opened && opened->error().code == ErrorCode::usage;
}

std::vector<std::optional<Result<Checkpoint>>> open_all(const std::vector<SubjectOptions>& subjects,
                                                        const OpenOptions& options) {
  std::vector<std::optional<Result<Checkpoint>>> opened(subjects.size());
  parallel_for(subjects.size(), options.threads, [&](std::size_t i) {
    if (subjects[i].in_memory) {
      opened[i] = *subjects[i].in_memory;
      return;
    }
    OpenOptions own = options;
    own.key = subjects[i].key;
    opened[i] = open_checkpoint(subjects[i].path, own);
  });
  bool any_has_it = false;
  for (std::size_t i = 0; i < subjects.size(); ++i)
    any_has_it = any_has_it || (subjects[i].key_is_shared && opened[i]->has_value());
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    if (any_has_it && subjects[i].key_is_shared && lacks_key(opened[i]))
      opened[i] = open_checkpoint(subjects[i].path, options);
  }
  return opened;
}

void note_unread(Report& report, const Checkpoint& checkpoint) {
  // A missing shard has one error for each of its tensors.
  std::vector<std::pair<std::string, std::size_t>> times;
  for (const auto* errors : {&checkpoint.unread, &checkpoint.config_faults,
                             &checkpoint.preprocessing_faults, &checkpoint.module_faults}) {
    for (const Error& error : *errors) {
      std::string text = to_string(error);
      if (times.empty() || times.back().first != text) times.emplace_back(std::move(text), 0);
      ++times.back().second;
    }
  }
  for (const auto& [text, count] : times) {
    add_gap(report, count == 1 ? text : fmt::format("{} ({} times)", text, count), Gap::blocking);
  }
}

/// An empty sparse tensor is none of these: its size says that all is zero.
bool holds_no_element(const Checkpoint& checkpoint) {
  return std::ranges::all_of(checkpoint.weights().weights, [&](std::uint32_t index) {
    const StoredTensor& tensor = checkpoint.entries[index];
    return tensor.view.numel() == 0 && tensor.identity.empty();
  });
}

/// Tensors of one list, as those of an EMA that keeps parameters by their order; "" where there are
/// none.
std::string unnamed_list(const Checkpoint& checkpoint) {
  std::map<std::string, std::size_t> lists;
  for (const StoredTensor& tensor : checkpoint.entries) {
    const std::size_t dot = tensor.path.rfind('.');
    if (tensor.role != TensorRole::other || dot == std::string::npos) continue;
    const std::string place = tensor.path.substr(dot + 1);
    if (!place.empty() && std::ranges::all_of(place, [](char c) { return c >= '0' && c <= '9'; }))
      ++lists[tensor.path.substr(0, dot)];
  }
  const auto longest = std::ranges::max_element(
      lists, [](const auto& x, const auto& y) { return x.second < y.second; });
  if (longest == lists.end() || longest->second < 2) return "";
  return fmt::format(
      "; {} is a list of {} tensors without names. Where they are a model's parameters in order, "
      "give them the names of named_parameters(), and save that dict",
      longest->first, longest->second);
}

void compare_with_first(Report& report, std::size_t other, std::vector<WeightSet>& sets,
                        int threads) {
  const Subject& a = report.subjects[0];
  const Subject& b = report.subjects[other];
  if (!has_weights(a) || !has_weights(b)) return;
  report.weights.push_back(
      {a.label, b.label, compare_weights(sets[0], sets[other], {threads, a.label, b.label})});
  settle_ties(report, &report.weights.back());
  settle_computed(report, &report.weights.back());
  settle_layouts(report, &report.weights.back());
  settle_factors(report, &report.weights.back());
  settle_architectures(report, &report.weights.back());
  settle_quantized(report, &report.weights.back(), threads);
  const WeightComparison& found = report.weights.back().comparison;
  if (found.unreadable.size() <= 3) {
    for (const std::string& name : found.unreadable)
      add_gap(report, "the values of " + name + " could not be read", Gap::blocking);
  } else {
    add_gap(report,
            fmt::format("the values of {} tensors could not be read: {}", found.unreadable.size(),
                        some_of(found.unreadable)),
            Gap::blocking);
  }
  for (const std::string& text : found.unsearched)
    add_gap(report, a.label + " and " + b.label + ": " + text,
            found.verdict == WeightsVerdict::unknown ? Gap::blocking : Gap::aside);
  if (a.checkpoint->weights().weights.empty() && b.checkpoint->weights().weights.empty())
    add_gap(report,
            fmt::format("{} and {} hold no tensor: there was nothing to compare", a.label, b.label),
            Gap::blocking);
  else if (holds_no_element(*a.checkpoint) && holds_no_element(*b.checkpoint))
    add_gap(report,
            fmt::format("{} and {} hold tensors without a single element, as placeholders of "
                        "weights that stand elsewhere: there were no values to compare",
                        a.label, b.label),
            Gap::blocking);
}

}  // namespace

void compare_subjects(Report& report, int threads) {
  read_unlike_layouts(report);
  for (const Subject& subject : report.subjects) {
    if (subject.checkpoint && !subject.checkpoint->has_weights())
      add_gap(report,
              subject.path + ": holds no weights to compare" + unnamed_list(*subject.checkpoint),
              Gap::blocking);
  }
  std::vector<WeightSet> sets = weight_sets(report, threads);
  for (std::size_t i = 1; i < report.subjects.size(); ++i)
    compare_with_first(report, i, sets, threads);
  apply_filter(report);
  apply_tolerance(report, threads);
}

void open_subjects(Report& report, const std::vector<SubjectOptions>& subjects,
                   const OpenOptions& options) {
  std::vector<std::optional<Result<Checkpoint>>> opened = open_all(subjects, options);
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    Subject subject;
    subject.label = subject_label(i);
    subject.path = subjects[i].path;
    Result<Checkpoint>& result = *opened[i];
    if (result) {
      note_unread(report, *result);
      subject.checkpoint = std::move(*result);
    } else {
      add_gap(report, to_string(result.error()), Gap::blocking);
    }
    if (!subjects[i].left_out.empty())
      add_gap(report, subject.label + ": not compared: " + subjects[i].left_out, Gap::aside);
    report.subjects.push_back(std::move(subject));
  }
}

std::string subject_label(std::size_t index) {
  std::string label(1, static_cast<char>('A' + index % 26));
  return index < 26 ? label : subject_label(index / 26 - 1) + label;
}

WeightSet weight_set(const Checkpoint& checkpoint, const Candidate& candidate) {
  return WeightSet(tensors_of(checkpoint, candidate.weights, candidate.key));
}

WeightSet some_weights(const Checkpoint& checkpoint, const std::set<std::string>& names) {
  std::vector<NamedTensor> kept;
  const WeightSet all = weight_set(checkpoint, checkpoint.weights());
  for (const NamedTensor& tensor : all.tensors())
    if (names.contains(tensor.name)) kept.push_back(tensor);
  return WeightSet(std::move(kept));
}

std::vector<WeightSet> weight_sets(const Report& report, int threads) {
  std::vector<std::vector<NamedTensor>> tensors;
  for (const Subject& subject : report.subjects) {
    const bool has_weights = subject.checkpoint && subject.checkpoint->has_weights();
    tensors.push_back(has_weights
                          ? tensors_of(*subject.checkpoint, subject.checkpoint->weights().weights,
                                       subject.checkpoint->weights().key)
                          : std::vector<NamedTensor>());
  }
  const bool same_names = std::all_of(tensors.begin(), tensors.end(), [&](const auto& other) {
    return have_same_names(tensors.front(), other);
  });
  if (!same_names) {
    parallel_for(tensors.size(), threads, [&](std::size_t i) { add_roles(&tensors[i]); });
  }
  std::vector<WeightSet> sets;
  for (auto& each : tensors) sets.emplace_back(std::move(each));
  return sets;
}

WeightSet buffer_set(const Checkpoint& checkpoint, const Candidate& candidate) {
  return WeightSet(tensors_of(checkpoint, candidate.buffers, candidate.key));
}

Json name_list(const std::vector<std::string>& names, std::size_t limit) {
  Json list = Json::array();
  for (const std::string& name : names) {
    if (list.size() >= limit) break;
    list.push_back(name);
  }
  return list;
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kShown)));
  if (names.size() > kShown) shown.push_back(fmt::format("and {} more", names.size() - kShown));
  return fmt::format("{}", fmt::join(shown, ", "));
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string counted(std::uint64_t count, const std::string& noun, const char* one,
                    const char* several) {
  return counted(count, noun) + " " + (count == 1 ? one : several);
}

std::string counted_of(std::uint64_t count, std::uint64_t total, const std::string& noun,
                       const char* one, const char* several) {
  return std::to_string(count) + " of " + counted(total, noun) + " " + (count == 1 ? one : several);
}

}  // namespace samebits
