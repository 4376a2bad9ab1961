#include "samebits/explain/training_findings.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "samebits/checkpoint/progress_words.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr std::uint64_t kMomentBytes = 16u << 20;  // of all optimizers' moments that are read

/// "global_step 30": the first count that says that steps were made.
std::string progress_text(const TrainingState& state) {
  const auto says = [&](std::string_view key) {
    const auto found = state.values.find(std::string(key));
    return found != state.values.end() && found->is_number() && found->get<double>() > 0
               ? fmt::format("{} {}", key, json_text(*found))
               : "";
  };
  for (const std::string_view key : kStepWords)
    if (std::string text = says(key); !text.empty()) return text;
  for (const std::string_view key : kEpochWords)
    if (std::string text = says(key); !text.empty()) return text;
  return "";
}

enum class Moments : std::uint8_t { none, zero, zero_so_far, moved };

bool is_zero(const TensorView& view, std::uint64_t count) {
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_range(0, count, buffer);
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// Every tensor of the optimizer's state but its steps, up to the first that is not zero.
Moments moments_of(const Checkpoint& checkpoint, const OptimizerFacts& optimizer) {
  Moments found = Moments::none;
  std::uint64_t left = kMomentBytes;
  for (const StoredTensor& tensor : checkpoint.entries) {
    const bool moment = tensor.readable && tensor.path.starts_with(optimizer.prefix) &&
                        !tensor.path.ends_with(".step") && is_floating(tensor.view.dtype()) &&
                        tensor.view.numel() > 0;
    if (!moment) continue;
    const std::uint64_t size = itemsize(tensor.view.dtype());
    const std::uint64_t count = std::min(tensor.view.numel(), left / size);
    if (count > 0 && !is_zero(tensor.view, count)) return Moments::moved;
    left -= count * size;
    if (found == Moments::none) found = Moments::zero;
    if (count < tensor.view.numel()) found = Moments::zero_so_far;
  }
  return found;
}

/// What is fresh about it, as a clause; "" where it is not, or cannot be said to be.
std::string freshness(const Checkpoint& checkpoint, const OptimizerFacts& optimizer,
                      bool has_progress) {
  if (optimizer.held == 0)
    return optimizer.keeps_moments ? "it has no moments: no step was made since it was built" : "";
  const Moments moments = moments_of(checkpoint, optimizer);
  if (moments == Moments::zero) return "its moments are all zero";
  if (moments == Moments::zero_so_far) return "the first 16 MiB of its moments are zero";
  if (moments == Moments::none) return "";
  return optimizer.step == 0.0 && has_progress ? "it stands at step 0" : "";
}

Json present_parts(const TrainingState& state) {
  Json present = Json::array();
  const std::pair<const char*, const std::optional<std::string>*> parts[] = {
      {"step", &state.step},
      {"scheduler", &state.scheduler},
      {"rng", &state.rng},
      {"sampler", &state.sampler}};
  for (const auto& [name, place] : parts) {
    if (*place) present.push_back(name);
  }
  return present;
}

Finding resume_finding(const Subject& subject, const OptimizerFacts& optimizer) {
  Finding finding{.cause = "resume.missing",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.evidence = {{"missing", {"optimizer"}},
                      {"present", present_parts(subject.checkpoint->training)},
                      {"optimizer", optimizer.place}};
  return finding;
}

}  // namespace

void find_fresh_optimizer(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  const std::string progress = progress_text(checkpoint.training);
  for (const OptimizerFacts& optimizer : checkpoint.training.optimizers) {
    const std::string fresh = freshness(checkpoint, optimizer, !progress.empty());
    if (fresh.empty()) continue;
    Finding finding = resume_finding(subject, optimizer);
    finding.summary = fmt::format("the optimizer ({}) is fresh: {}", optimizer.place, fresh);
    if (optimizer.step)
      finding.details.push_back(fmt::format("its own step is {}", *optimizer.step));
    if (progress.empty()) {
      finding.role = Role::note;
      finding.remedy = "Nothing, where the file was saved before the first step";
    } else {
      finding.details.push_back("the file says " + progress);
      finding.remedy =
          "A training that goes on from here starts its moments anew; take the optimizer's state "
          "from another save, where there is one";
    }
    add_finding(report, std::move(finding));
  }
}

void find_unused_state(Report& report, const Subject& subject) {
  for (const OptimizerFacts& optimizer : subject.checkpoint->training.optimizers) {
    if (optimizer.unlisted == 0 || optimizer.listed == 0) continue;
    Finding finding = resume_finding(subject, optimizer);
    const bool strings = optimizer.listed_by_number && optimizer.unlisted_key.starts_with('\'');
    finding.summary = fmt::format(
        "{} of {} parameters' states of the optimizer ({}) stand under keys that its param_groups "
        "do not list",
        optimizer.unlisted, optimizer.held, optimizer.place);
    finding.details = {
        fmt::format("the key is {}{}", optimizer.unlisted_key,
                    strings ? ", a string; param_groups list integers, as the optimizer does" : ""),
        "load_state_dict takes it without a word, and these moments reach no parameter (torch "
        "2.13.0)"};
    finding.evidence["unlisted"] = optimizer.unlisted;
    finding.evidence["key"] = optimizer.unlisted_key;
    finding.remedy = strings ? "Before loading: optimizer[\"state\"] = {int(k): v for k, v in "
                               "optimizer[\"state\"].items()}"
                             : "Load it with the library that wrote it, which knows its names";
    add_finding(report, std::move(finding));
  }
}

}  // namespace samebits
