#include "samebits/explain/forward_runs.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/explain/native_runner.h"
#include "samebits/explain/output_pair.h"
#include "samebits/explain/own_inputs.h"
#include "samebits/explain/search.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/token_order.h"

namespace samebits {
namespace {

constexpr const char* kEncoder = "last_hidden_state";

/// The report's reading of a search.
class Reading {
 public:
  Reading(Report& report, NativeRunner& runner, const SearchOutcome& outcome, int threads)
      : report_(report), runner_(runner), outcome_(outcome), threads_(threads) {}

  /// Whether every difference was explained.
  bool complete() const { return complete_; }

  void read() {
    const std::vector<std::string>& assumed = runner_.input().assumed;
    report_.assumed.insert(report_.assumed.end(), assumed.begin(), assumed.end());
    on_own_input_ = run_own_inputs(report_, runner_, outcome_, threads_);
    for (std::size_t i = 1; i < outcome_.own.size(); ++i) add_outputs(i);
    prove_noise();
    for (const OutputPair& twice : outcome_.dropout_twice) prove_dropout(twice);
    for (std::size_t i = 1; i < outcome_.own.size(); ++i) {
      read_pair(i, outcome_.pairs[i - 1]);
      list_pair(i, outcome_.pairs[i - 1]);
    }
  }

 private:
  const Subject& subject(std::size_t i) const { return report_.subjects[runner_.subjects()[i]]; }
  const std::string& label(std::size_t i) const { return subject(i).label; }

  void list(std::string run, std::string outcome) {
    report_.runs.push_back({std::move(run), std::move(outcome)});
  }

  static std::string twice_text(const OutputPair& twice) {
    if (twice.differing == 0) return "the same bits";
    return fmt::format("{} of {} elements differ, up to {:.3g}", twice.differing, twice.elements,
                       twice.max_abs);
  }

  /// The runs of a pair, as lines of the report.
  void list_pair(std::size_t i, const PairOutcome& pair) {
    const bool draws = runner_.draws_noise(i) || runner_.draws_dropout(i);
    const std::string together = fmt::format("{} and {} on one input{}", label(0), label(i),
                                             draws ? ", with the same random numbers" : "");
    if (pair.equal) return list(together, "the same bits");
    list(together, parting_text(pair));
    report_.divergence.push_back({label(0), label(i), pair.points});
    if (!pair.explained) {
      if (!pair.differing.empty())
        list(fmt::format("{} with everything of {} that could be exchanged", label(i), label(0)),
             "other outputs still");
      return;
    }
    list(label(i) + " with the " + exchanged_text(pair) + " of " + label(0),
         label(0) + "'s outputs, bit for bit");
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
    const std::string point = encoder ? "vit.layernorm" : a.name;
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
      find_permutation(i, &pair);
    if (encoder || pair.differing > 0) report_.outputs.push_back(std::move(pair));
  }

  void find_permutation(std::size_t i, OutputPair* pair) {
    const auto rest = rounding_in_one_order(outcome_.own[0], outcome_.own[i], pair->max_abs);
    if (!rest) return;
    pair->verdict = "permuted";
    report_.token_maps.push_back(
        {pair->a, pair->b, places_of_patches(outcome_.own[0]), places_of_patches(outcome_.own[i])});
    report_.findings.push_back(
        {.cause = "order.tokens",
         .role = Role::contributes,
         .proof = Proof::proved,
         .subjects = {pair->a, pair->b},
         .summary = "the outputs hold the same tokens in another order",
         .details = {fmt::format("in the order of the patches {} and {} differ by {:.3g} at most, "
                                 "as they stand by {:.3g}",
                                 pair->a, pair->b, *rest, pair->max_abs),
                     "what is left is rounding: sums over tokens are rounded in their order"},
         .evidence = {{"point", pair->point}, {"in_one_order", *rest}},
         .remedy = "Put both into one order by ids_restore before comparing, or share the noise"});
  }

  Finding* finding(const std::string& cause) {
    const auto found = std::find_if(report_.findings.begin(), report_.findings.end(),
                                    [&](const Finding& each) { return each.cause == cause; });
    return found == report_.findings.end() ? nullptr : &*found;
  }

  void prove_noise() {
    Finding* noise = finding("rng.noise");
    const OutputPair& twice = outcome_.noise_twice;
    if (noise == nullptr || twice.differing == 0) return;
    const bool equal = std::all_of(outcome_.pairs.begin(), outcome_.pairs.end(),
                                   [](const PairOutcome& pair) { return pair.equal; });
    list(twice.a + " twice on one input, with other noise", twice_text(twice));
    noise->proof = Proof::proved;
    noise->settle.clear();
    std::vector<std::string> proof;
    proof.push_back(
        fmt::format("{} run twice differs from itself, up to {:.3g}", twice.a, twice.max_abs));
    proof.push_back(
        equal
            ? fmt::format("with one noise for all of them: 0 of {} elements differ", twice.elements)
            : "with one noise for all of them they still differ: see the other causes");
    proof.push_back(
        fmt::format("to repeat: samebits run {} --noise-seed 1, then {}; then all with one seed",
                    report_.subjects[0].path, 1 + runner_.subjects().size()));
    // Behind what draws, in front of what that means.
    std::vector<std::string> details = std::move(noise->details);
    noise->details.clear();
    for (std::size_t i = 0; i < details.size(); ++i) {
      noise->details.push_back(std::move(details[i]));
      if (i == 0) noise->details.insert(noise->details.end(), proof.begin(), proof.end());
    }
    noise->evidence["self_difference"] = twice.max_abs;
    noise->evidence["equal_with_one_noise"] = equal;
  }

  void prove_dropout(const OutputPair& twice) {
    list(twice.a + " twice on one input, with other dropout masks", twice_text(twice));
    if (twice.differing == 0) return;
    for (Finding& each : report_.findings) {
      const bool about = std::count(each.subjects.begin(), each.subjects.end(), twice.a) > 0;
      if (each.cause != "mode.training" || !about || each.role == Role::note) continue;
      each.role = Role::cause;
      each.proof = Proof::proved;
      each.details.push_back(
          fmt::format("{} run twice on one input{} differs from itself, up to {:.3g}: dropout "
                      "draws other masks every time",
                      twice.a, runner_.draws_noise(0) ? ", with one noise," : "", twice.max_abs));
      each.evidence["self_difference"] = twice.max_abs;
    }
  }

  void read_pair(std::size_t i, const PairOutcome& pair) {
    if (pair.equal) {
      for (Finding* each : findings_of(i, "weights."))
        each->details.push_back(
            "on this input the outputs that both give are bit-identical all the same");
      return;
    }
    if (!pair.explained) {
      complete_ = false;
      report_.not_checked.push_back(fmt::format(
          "outputs of {} and {}: they differ, and still do with everything exchanged that could "
          "be{}",
          label(0), label(i),
          pair.parting.empty() ? "" : "; the first point that differs is " + pair.parting));
      return;
    }
    for (const Factor::Kind kind :
         {Factor::Kind::config, Factor::Kind::mode, Factor::Kind::weights})
      read_kind(i, pair, kind);
    const bool named = std::ranges::any_of(report_.findings, [&](const Finding& each) {
      return each.role == Role::cause && each.evidence.contains("minimal") &&
             std::count(each.subjects.begin(), each.subjects.end(), label(i)) > 0;
    });
    if (!named) add_unnamed(i, pair);
  }

  Json field_of(std::size_t i, const std::string& field) const {
    const Json& config = subject(i).checkpoint->config;
    return config.is_object() && config.contains(field) ? config[field] : Json();
  }

  /// What the runs prove and the files' comparison has no finding for.
  void add_unnamed(std::size_t i, const PairOutcome& pair) {
    const Factor::Kind kind = pair.minimal.front().kind;
    const char* cause = kind == Factor::Kind::config ? "config.changed"
                        : kind == Factor::Kind::mode ? "mode.training"
                                                     : "weights.changed";
    Finding finding{.cause = cause,
                    .role = Role::cause,
                    .proof = Proof::proved,
                    .subjects = {label(0), label(i)},
                    .summary = "the outputs differ, and agree once the " + exchanged_text(pair) +
                               " are exchanged"};
    const std::vector<std::string> needed = names_of(pair.minimal, kind);
    finding.details = {proof_text(i, pair, kind, needed), parting_text(pair)};
    add_evidence(&finding, i, pair, kind, needed);
    if (kind == Factor::Kind::weights) {
      finding.evidence["count"] = tensors_of(needed, i).size();
      finding.evidence["tensors"] = tensors_of(needed, i);
    } else if (kind == Factor::Kind::mode) {
      finding.evidence["modules"] = Json::array();
    } else {
      for (const std::string& field : needed)
        finding.evidence["fields"][field] = Json::array({field_of(0, field), field_of(i, field)});
    }
    report_.findings.push_back(std::move(finding));
  }

  static const char* prefix_of(Factor::Kind kind) {
    return kind == Factor::Kind::config ? "config."
           : kind == Factor::Kind::mode ? "mode."
                                        : "weights.";
  }

  /// Findings of the pair (A, i) that speak of it and are more than a note.
  std::vector<Finding*> findings_of(std::size_t i, const std::string& prefix) {
    std::vector<Finding*> found;
    for (Finding& each : report_.findings) {
      const bool of_pair = each.subjects == std::vector{label(0), label(i)};
      const bool of_one = prefix == "mode." && (each.subjects == std::vector{label(i)} ||
                                                each.subjects == std::vector{label(0)});
      if ((of_pair || of_one) && each.role != Role::note && each.cause.starts_with(prefix))
        found.push_back(&each);
    }
    return found;
  }

  static std::vector<std::string> names_of(const std::vector<Factor>& factors, Factor::Kind kind) {
    std::vector<std::string> names;
    for (const Factor& factor : factors) {
      if (factor.kind == kind) names.push_back(factor.name);
    }
    return names;
  }

  void read_kind(std::size_t i, const PairOutcome& pair, Factor::Kind kind) {
    const std::vector<std::string> needed = names_of(pair.minimal, kind);
    for (Finding* each : findings_of(i, prefix_of(kind))) {
      const bool matters = each->role == Role::cause || each->role == Role::contributes ||
                           (kind != Factor::Kind::weights && !needed.empty());
      if (!matters) continue;
      if (needed.empty() || !speaks_of(*each, kind, needed, i)) {
        if (kind != Factor::Kind::mode) each->role = Role::contributes;
        continue;
      }
      each->role = Role::cause;
      each->proof = Proof::proved;
      const bool fewer = kind == Factor::Kind::weights && each->evidence.contains("count") &&
                         tensors_of(needed, i).size() < each->evidence["count"].get<std::size_t>();
      each->details.push_back(proof_text(i, pair, kind, needed, fewer));
      each->details.push_back(parting_text(pair));
      add_evidence(each, i, pair, kind, needed);
    }
  }

  /// Of several findings about weights, the one whose tensors are needed.
  bool speaks_of(const Finding& each, Factor::Kind kind, const std::vector<std::string>& needed,
                 std::size_t i) const {
    if (kind == Factor::Kind::mode) return true;
    if (kind == Factor::Kind::config) {
      const Json& fields = each.evidence["fields"];
      return std::any_of(needed.begin(), needed.end(),
                         [&](const std::string& name) { return fields.contains(name); });
    }
    if (!each.evidence.contains("tensors")) return true;
    const std::vector<std::string> names = tensors_of(needed, 0);
    const std::vector<std::string> others = tensors_of(needed, i);
    return std::any_of(
        each.evidence["tensors"].begin(), each.evidence["tensors"].end(), [&](const Json& tensor) {
          return std::count(names.begin(), names.end(), tensor.get<std::string>()) > 0 ||
                 std::count(others.begin(), others.end(), tensor.get<std::string>()) > 0;
        });
  }

  std::vector<std::string> tensors_of(const std::vector<std::string>& parts, std::size_t i) const {
    std::vector<std::string> names;
    for (const std::string& part : parts) {
      for (std::string& name : runner_.tensors_of(subject(i), i, part)) {
        // A fused tensor plays several parts.
        if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
      }
    }
    return names;
  }

  /// "config (mask_ratio) and weights in 2 of the 30 parts that differ"
  static std::string exchanged_text(const PairOutcome& pair) {
    std::vector<std::string> what;
    const std::vector<std::string> config = names_of(pair.minimal, Factor::Kind::config);
    if (!config.empty()) what.push_back("config (" + some_of(config) + ")");
    if (!names_of(pair.minimal, Factor::Kind::mode).empty()) what.emplace_back("mode");
    const std::size_t parts = names_of(pair.minimal, Factor::Kind::weights).size();
    const std::size_t all = names_of(pair.differing, Factor::Kind::weights).size();
    if (parts > 0)
      what.push_back(parts == all
                         ? "weights"
                         : fmt::format("weights in {} of the {} tensors that differ and are used",
                                       parts, all));
    return fmt::format("{}", fmt::join(what, " and "));
  }

  /// "B with the config of A gives A's outputs, bit for bit".
  std::string proof_text(std::size_t i, const PairOutcome& pair, Factor::Kind kind,
                         const std::vector<std::string>& needed, bool fewer = false) const {
    std::string text = fmt::format("{} with the {} of {} gives {}'s outputs, bit for bit", label(i),
                                   exchanged_text(pair), label(0), label(0));
    if (pair.minimal.size() > 1)
      text += pair.is_minimal ? "; with less of it, it does not"
              : pair.by_group ? "; without that of any one block or layer, it does not"
                              : "; whether less is enough was not searched to the end";
    const std::size_t all = names_of(pair.differing, Factor::Kind::weights).size();
    if (kind == Factor::Kind::weights && (needed.size() < all || fewer))
      text += ": " + some_of(tensors_of(needed, i));
    return text;
  }

  std::string parting_text(const PairOutcome& pair) const {
    const auto point = std::find_if(pair.points.begin(), pair.points.end(),
                                    [](const OutputPair& each) { return each.differing > 0; });
    if (point == pair.points.end()) return "no point that both have in one shape differs";
    return fmt::format("the two part at {}: {} of {} elements, up to {:.3g}", point->point,
                       point->differing, point->elements, point->max_abs);
  }

  void add_evidence(Finding* each, std::size_t i, const PairOutcome& pair, Factor::Kind kind,
                    const std::vector<std::string>& needed) const {
    each->evidence["parting"] = pair.parting;
    each->evidence["minimal"] = kind == Factor::Kind::weights ? tensors_of(needed, i) : needed;
    each->evidence["is_minimal"] = pair.is_minimal;
    if (pair.by_group) each->evidence["minimal_by"] = "block";
  }

  Report& report_;
  NativeRunner& runner_;
  const SearchOutcome& outcome_;
  int threads_;
  std::map<std::size_t, VitOutputs> on_own_input_;
  bool complete_ = true;
};

}  // namespace

bool prove_by_running(Report& report, const ForwardOptions& options) {
  const auto give_up = [&](const Error& error) {
    report.not_checked.push_back("outputs: " + to_string(error));
    return false;
  };
  Result<NativeRunner> runner = NativeRunner::open(report, options.input, options.threads);
  if (!runner) return give_up(runner.error());
  for (const Error& error : runner->refused()) give_up(error);
  std::vector<std::string> labels;
  for (const std::size_t i : runner->subjects()) labels.push_back(report.subjects[i].label);
  const Result<SearchOutcome> outcome =
      search(*runner, labels, {.threads = options.threads, .more = options.more});
  if (!outcome) return give_up(outcome.error());
  Reading reading(report, *runner, *outcome, options.threads);
  reading.read();
  return reading.complete() && runner->refused().empty();
}

}  // namespace samebits
