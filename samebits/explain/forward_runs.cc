#include "samebits/explain/forward_runs.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include <fmt/format.h>

#include "samebits/explain/native_runner.h"
#include "samebits/explain/next_step.h"
#include "samebits/explain/output_pair.h"
#include "samebits/explain/own_inputs.h"
#include "samebits/explain/search.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/token_order.h"

namespace samebits {
namespace {

constexpr const char* kEncoder = "last_hidden_state";

std::string twice_text(const OutputPair& twice) {
  if (twice.differing == 0) return "the same bits";
  return fmt::format("{} of {} elements differ, up to {:.3g}", twice.differing, twice.elements,
                     twice.max_abs);
}

std::string parting_text(const PairOutcome& pair) {
  const auto point =
      std::ranges::find_if(pair.points, [](const OutputPair& each) { return each.differing > 0; });
  if (point == pair.points.end()) return "no point that both have in one shape differs";
  return fmt::format("the two first differ at {}: {} of {} elements, up to {:.3g}", point->point,
                     point->differing, point->elements, point->max_abs);
}

/// What a search showed, as facts and as the parts of the report that list runs and outputs.
class Reading {
 public:
  Reading(Report& report, NativeRunner& runner, const SearchOutcome& outcome, int threads)
      : report_(report), runner_(runner), outcome_(outcome), threads_(threads) {}

  RunFacts read() {
    const std::vector<std::string>& assumed = runner_.input().assumed;
    report_.assumed.insert(report_.assumed.end(), assumed.begin(), assumed.end());
    facts_.subjects = runner_.subjects().size();
    facts_.shares_noise = runner_.draws_noise(0);
    OwnInputRuns own = run_own_inputs(report_, runner_, outcome_, threads_);
    facts_.other_images = std::move(own.facts);
    on_own_input_ = std::move(own.outputs);
    for (std::size_t i = 1; i < outcome_.own.size(); ++i) add_outputs(i);
    add_repeated();
    for (std::size_t i = 1; i < outcome_.own.size(); ++i) add_pair(i, outcome_.pairs[i - 1]);
    return std::move(facts_);
  }

 private:
  const Subject& subject(std::size_t i) const { return report_.subjects[runner_.subjects()[i]]; }
  const std::string& label(std::size_t i) const { return subject(i).label; }

  void list(std::string run, std::string outcome) {
    report_.runs.push_back({std::move(run), std::move(outcome)});
  }

  /// As the owners would see it: the encoder's output of every pair, and other outputs where they
  /// differ; of masked autoencoders, whose other outputs follow from it, the encoder's alone.
  void add_outputs(std::size_t i) {
    for (const NamedArray& a : outcome_.own[0].arrays) {
      const bool encoder = a.name == kEncoder;
      if (a.is_index || a.name == "mask" || (runner_.draws_noise(0) && !encoder)) continue;
      const std::vector<NamedArray>& others = own_outputs(i).arrays;
      const auto b = std::find_if(others.begin(), others.end(),
                                  [&](const NamedArray& each) { return each.name == a.name; });
      if (b != others.end()) add_output(i, a, *b);
    }
  }

  const VitOutputs& own_outputs(std::size_t i) const {
    const auto other = on_own_input_.find(i);
    return other == on_own_input_.end() ? outcome_.own[i] : other->second;
  }

  void add_output(std::size_t i, const NamedArray& a, const NamedArray& b) {
    const bool encoder = a.name == kEncoder;
    const std::string point = encoder ? runner_.point_names(0).norm : a.name;
    if (a.shape != b.shape) {
      report_.assumed.push_back(fmt::format(
          "outputs of {} and {} at {} are not compared element by element: their shapes are [{}] "
          "and [{}]",
          label(0), label(i), point, fmt::join(a.shape, ", "), fmt::join(b.shape, ", ")));
      return;
    }
    OutputPair pair =
        compare_outputs(label(0), label(i), point, {view_of(a), view_of(b)}, threads_);
    if (encoder && runner_.draws_noise(0) && runner_.draws_noise(i) && pair.differing > 0)
      add_token_order(i, &pair);
    if (encoder || pair.differing > 0) report_.outputs.push_back(std::move(pair));
  }

  void add_token_order(std::size_t i, OutputPair* pair) {
    const auto rest = rounding_in_one_order(outcome_.own[0], outcome_.own[i], pair->max_abs);
    if (!rest) return;
    pair->verdict = "permuted";
    report_.token_maps.push_back(
        {pair->a, pair->b, places_of_patches(outcome_.own[0]), places_of_patches(outcome_.own[i])});
    facts_.token_orders.push_back({*pair, *rest});
  }

  /// Subjects against themselves.
  void add_repeated() {
    if (const OutputPair& twice = outcome_.noise_twice; twice.differing > 0) {
      list(twice.a + " twice on one input, with other noise", twice_text(twice));
      facts_.noise_twice = twice;
    }
    for (const OutputPair& twice : outcome_.dropout_twice)
      list(twice.a + " twice on one input, with other dropout masks", twice_text(twice));
    facts_.dropout_twice = outcome_.dropout_twice;
  }

  void add_pair(std::size_t i, const PairOutcome& pair) {
    facts_.pairs.push_back(pair_runs(i, pair));
    list_pair(i, pair, facts_.pairs.back());
    if (!pair.equal && !pair.explained)
      add_gap(report_,
              fmt::format(
                  "outputs of {} and {}: they differ, and still do with everything "
                  "exchanged that could be{}",
                  label(0), label(i),
                  pair.parting.empty() ? "" : "; the first point that differs is " + pair.parting),
              Gap::open);
  }

  /// The runs of a pair, as lines of the report.
  void list_pair(std::size_t i, const PairOutcome& pair, const PairRuns& runs) {
    const bool draws = runner_.draws_noise(i) || runner_.draws_dropout(i);
    const std::string together = fmt::format("{} and {} on one input{}", label(0), label(i),
                                             draws ? ", with the same random numbers" : "");
    if (pair.equal) return list(together, "the same bits");
    list(together, runs.parting_text);
    report_.divergence.push_back({label(0), label(i), pair.points});
    if (pair.explained) {
      list(label(i) + " with the " + exchanged_text(runs) + " of " + label(0),
           label(0) + "'s outputs, bit for bit");
    } else if (!pair.differing.empty()) {
      list(fmt::format("{} with everything of {} that could be exchanged", label(i), label(0)),
           "other outputs still");
    }
  }

  PairRuns pair_runs(std::size_t i, const PairOutcome& pair) const {
    PairRuns runs{.a = label(0),
                  .b = label(i),
                  .equal = pair.equal,
                  .explained = pair.explained,
                  .is_minimal = pair.is_minimal,
                  .by_group = pair.by_group,
                  .parting = pair.parting,
                  .parting_text = parting_text(pair)};
    for (const Factor& factor : pair.minimal) {
      switch (factor.kind) {
        case Factor::Kind::config: runs.config.push_back(factor.name); break;
        case Factor::Kind::mode: runs.mode = true; break;
        case Factor::Kind::weights: runs.parts.push_back(factor.name); break;
      }
    }
    runs.tensors_a = tensors_of(runs.parts, 0);
    runs.tensors_b = tensors_of(runs.parts, i);
    runs.differing_parts = static_cast<std::size_t>(std::ranges::count(
        pair.differing, Factor::Kind::weights, [](const Factor& each) { return each.kind; }));
    return runs;
  }

  std::vector<std::string> tensors_of(const std::vector<std::string>& parts, std::size_t i) const {
    std::vector<std::string> names;
    std::unordered_set<std::string> seen;  // a fused tensor plays several parts
    for (const std::string& part : parts) {
      for (std::string& name : runner_.tensors_of(subject(i), i, part)) {
        if (seen.insert(name).second) names.push_back(std::move(name));
      }
    }
    return names;
  }

  Report& report_;
  NativeRunner& runner_;
  const SearchOutcome& outcome_;
  int threads_;
  std::map<std::size_t, VitOutputs> on_own_input_;
  RunFacts facts_;
};

}  // namespace

void run_subjects(Report& report, const ForwardOptions& options) {
  const auto give_up = [&](Error error) {
    const bool is_other_class = error.code == ErrorCode::unsupported && error.hint.empty() &&
                                !error.found.starts_with("tensors missing");
    if (is_other_class) error.hint = next_step(report);
    add_gap(report, "outputs: " + to_string(error), Gap::open);
  };
  Result<NativeRunner> runner = NativeRunner::open(report, options.input, options.threads);
  if (!runner) return give_up(runner.error());
  for (const Error& error : runner->refused()) give_up(error);
  std::vector<std::string> labels;
  for (const std::size_t i : runner->subjects()) labels.push_back(report.subjects[i].label);
  const Result<SearchOutcome> outcome =
      search(*runner, labels, {.threads = options.threads, .more = options.more});
  if (!outcome) return give_up(outcome.error());
  report.ran = Reading(report, *runner, *outcome, options.threads).read();
}

}  // namespace samebits
