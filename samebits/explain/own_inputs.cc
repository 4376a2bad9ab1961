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

  OwnInputRuns run() {
    for (const NativeRunner::OtherInput& other : runner_.other_inputs()) {
      if (!other.not_computed.empty()) leave_aside(other);
      if (!other.how.empty()) read(other);
      if (other.borrowed) assume_processor(other.subject);
    }
    return std::move(made_);
  }

 private:
  const std::string& label(std::size_t i) const {
    return report_.subjects[runner_.subjects()[i]].label;
  }

  void leave_aside(const NativeRunner::OtherInput& other) {
    add_gap(report_,
            fmt::format(
                "images of {} and {}: {} resizes by torchvision where that is installed, which is "
                "not computed; the other's class does so in transformers 5 alone: whether the two "
                "make the same pixels depends on the version and on what is installed",
                label(0), label(other.subject), other.not_computed),
            Gap::open);
  }

  void assume_processor(std::size_t i) {
    report_.assumed.push_back(
        fmt::format("images of {}: as {}'s processor prepares them", label(i), label(0)));
  }

  void read(const NativeRunner::OtherInput& other) {
    OtherImages fact{.a = label(0), .b = label(other.subject), .how = other.how};
    if (other.own) fact.outputs = run_on(other.subject);
    fact.equal_on_one_input = outcome_.pairs[other.subject - 1].equal;
    if (!fact.outputs) assume_processor(other.subject);
    made_.facts.push_back(std::move(fact));
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
    if (!runner_.draws_noise(i) && !runner_.draws_dropout(i)) made_.outputs[i] = *std::move(own);
    return shown;
  }

  Report& report_;
  NativeRunner& runner_;
  const SearchOutcome& outcome_;
  int threads_;
  OwnInputRuns made_;
};

}  // namespace

OwnInputRuns run_own_inputs(Report& report, NativeRunner& runner, const SearchOutcome& outcome,
                            int threads) {
  return OwnInputs(report, runner, outcome, threads).run();
}

}  // namespace samebits
