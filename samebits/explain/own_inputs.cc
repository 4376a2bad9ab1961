#include "samebits/explain/own_inputs.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "samebits/explain/output_pair.h"

namespace samebits {
namespace {

class OwnInputs {
 public:
  OwnInputs(Report& report, NativeRunner& runner, const SearchOutcome& outcome, int threads)
      : report_(report), runner_(runner), outcome_(outcome), threads_(threads) {}

  std::map<std::size_t, VitOutputs> run() {
    for (const NativeRunner::OtherInput& other : runner_.other_inputs()) {
      if (!other.not_computed.empty()) leave_aside(other);
      if (!other.how.empty()) read(other);
    }
    return std::move(outputs_);
  }

 private:
  const std::string& label(std::size_t i) const {
    return report_.subjects[runner_.subjects()[i]].label;
  }

  void leave_aside(const NativeRunner::OtherInput& other) {
    report_.not_checked.push_back(fmt::format(
        "images of {} and {}: {} resizes by torchvision where that is installed, which is not "
        "computed; the other's class does so in transformers 5 alone: whether the two make the "
        "same pixels depends on the version and on what is installed",
        label(0), label(other.subject), other.not_computed));
    report_.undecided = true;
  }

  void read(const NativeRunner::OtherInput& other) {
    const auto with = other.own ? run_on(other.subject) : std::nullopt;
    for (Finding& each : report_.findings) {
      if (each.cause != "input.preprocessing" || each.role == Role::note ||
          each.subjects != std::vector{label(0), label(other.subject)})
        continue;
      each.details.push_back(
          fmt::format("of these images {}'s own processor makes another input: {}",
                      label(other.subject), other.how));
      if (!with) {
        each.role = Role::cause;
        continue;
      }
      each.role = with->differing > 0 ? Role::cause : Role::contributes;
      if (with->differing > 0 && outcome_.pairs[other.subject - 1].equal)
        each.proof = Proof::proved;
      each.details.push_back(outcome_text(other.subject, *with));
    }
    if (!with)
      report_.assumed.push_back(fmt::format("images of {}: as {}'s processor prepares them",
                                            label(other.subject), label(0)));
  }

  std::string outcome_text(std::size_t i, const OutputPair& with) const {
    const bool equal = outcome_.pairs[i - 1].equal;
    const std::string first =
        equal ? fmt::format("on {}'s input the outputs are equal, bit for bit; ", label(0)) : "";
    if (with.differing == 0) return first + "on its own they are, too";
    return fmt::format("{}on {}'s own {} of {} elements differ at {}, up to {:.3g}", first,
                       label(i), with.differing, with.elements, with.point, with.max_abs);
  }

  /// A as it is against the subject on its own input, with the same random numbers: the first
  /// output that differs, or the last.
  std::optional<OutputPair> run_on(std::size_t i) {
    const Result<VitOutputs> first = runner_.run({.subject = 0, .donor = 0});
    Result<VitOutputs> own = runner_.run({.subject = i, .donor = i, .own_input = true});
    if (!first || !own) return std::nullopt;
    std::optional<OutputPair> shown;
    for (const NamedArray& a : first->arrays) {
      const auto b = std::ranges::find(own->arrays, a.name, &NamedArray::name);
      if (a.is_index || b == own->arrays.end() || a.shape != b->shape) continue;
      if (!shown || shown->differing == 0)
        shown = compare_outputs(label(0), label(i), a.name, {view_of(a), view_of(*b)}, threads_);
    }
    if (!shown) return std::nullopt;
    report_.runs.push_back(
        {fmt::format("{} on what its own processor makes of the images", label(i)),
         shown->differing == 0 ? label(0) + "'s outputs, bit for bit"
                               : fmt::format("{} of {} elements differ, up to {:.3g}",
                                             shown->differing, shown->elements, shown->max_abs)});
    if (!runner_.draws_noise(i) && !runner_.draws_dropout(i)) outputs_[i] = *std::move(own);
    return shown;
  }

  Report& report_;
  NativeRunner& runner_;
  const SearchOutcome& outcome_;
  int threads_;
  std::map<std::size_t, VitOutputs> outputs_;
};

}  // namespace

std::map<std::size_t, VitOutputs> run_own_inputs(Report& report, NativeRunner& runner,
                                                 const SearchOutcome& outcome, int threads) {
  return OwnInputs(report, runner, outcome, threads).run();
}

}  // namespace samebits
