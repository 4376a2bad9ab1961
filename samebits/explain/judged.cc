#include "samebits/explain/judged.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/context_findings.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using Kind = Factor::Kind;

bool is_about(const Finding& finding, const std::string& label) {
  return std::ranges::find(finding.subjects, label) != finding.subjects.end();
}

std::string outcome_text(const OtherImages& other) {
  const OutputPair& with = *other.outputs;
  const std::string first =
      other.equal_on_one_input
          ? fmt::format("on {}'s input the outputs are equal, bit for bit; ", other.a)
          : "";
  if (with.differing == 0) return first + "on its own they are, too";
  return fmt::format("{}on {}'s own {} of {} elements differ at {}, up to {:.3g}", first, other.b,
                     with.differing, with.elements, with.point, with.max_abs);
}

/// Whether it is said of images; of texts a tokenizer's finding says how many tokens moved.
bool is_of_images(const Finding& finding) {
  return finding.cause == "input.preprocessing" && !finding.evidence.contains("moved");
}

void judge_images(Finding& finding, const RunFacts& ran) {
  if (finding.role == Role::note) return;
  for (const OtherImages& other : ran.other_images) {
    if (finding.subjects != std::vector{other.a, other.b}) continue;
    const bool differs = !other.outputs || other.outputs->differing > 0;
    finding.role = differs ? Role::cause : Role::contributes;
    if (other.outputs && differs && other.equal_on_one_input) finding.proof = Proof::proved;
    finding.details.push_back(fmt::format(
        "of these images {}'s own processor makes another input: {}", other.b, other.how));
    if (other.outputs) finding.details.push_back(outcome_text(other));
  }
}

void judge_noise(Finding& finding, const Report& report) {
  const RunFacts& ran = *report.ran;
  if (!ran.noise_twice || ran.noise_twice->differing == 0) return;
  const OutputPair& twice = *ran.noise_twice;
  const bool equal = std::ranges::all_of(ran.pairs, &PairRuns::equal);
  finding.proof = Proof::proved;
  finding.settle.clear();
  const std::vector<std::string> proof = {
      fmt::format("{} run twice differs from itself, up to {:.3g}", twice.a, twice.max_abs),
      equal ? fmt::format("with one noise for all of them: 0 of {} elements differ", twice.elements)
            : "with one noise for all of them they still differ: see the other causes",
      fmt::format("to repeat: samebits run {} --noise-seed 1, then {}; then all with one seed",
                  report.subjects[0].path, 1 + ran.subjects)};
  // Behind what draws, in front of what that means.
  finding.details.insert(finding.details.begin() + (finding.details.empty() ? 0 : 1), proof.begin(),
                         proof.end());
  finding.evidence["self_difference"] = twice.max_abs;
  finding.evidence["equal_with_one_noise"] = equal;
}

void judge_dropout(Finding& finding, const RunFacts& ran) {
  for (const OutputPair& twice : ran.dropout_twice) {
    if (twice.differing == 0 || !is_about(finding, twice.a) || finding.role == Role::note) continue;
    finding.role = Role::cause;
    finding.proof = Proof::proved;
    finding.details.push_back(
        fmt::format("{} run twice on one input{} differs from itself, up to {:.3g}: dropout draws "
                    "other masks every time",
                    twice.a, ran.shares_noise ? ", with one noise," : "", twice.max_abs));
    finding.evidence["self_difference"] = twice.max_abs;
  }
}

/// "B with the config of A gives A's outputs, bit for bit".
std::string proof_text(const PairRuns& pair, Kind kind, bool fewer) {
  std::string text = fmt::format("{} with the {} of {} gives {}'s outputs, bit for bit", pair.b,
                                 exchanged_text(pair), pair.a, pair.a);
  if (pair.needed() > 1)
    text += pair.is_minimal ? "; with less of it, it does not"
            : pair.by_group ? "; without that of any one block or layer, it does not"
                            : "; whether less is enough was not searched to the end";
  if (kind == Kind::weights && (pair.parts.size() < pair.differing_parts || fewer))
    text += ": " + some_of(pair.tensors_b);
  return text;
}

Json needed_names(const PairRuns& pair, Kind kind) {
  if (kind == Kind::weights) return pair.tensors_b;
  if (kind == Kind::config) return pair.config;
  return Json::array({"training"});
}

void add_proof(Finding& finding, const PairRuns& pair, Kind kind, bool fewer = false) {
  finding.details.push_back(proof_text(pair, kind, fewer));
  finding.details.push_back(pair.parting_text);
  finding.evidence["parting"] = pair.parting;
  finding.evidence["minimal"] = needed_names(pair, kind);
  finding.evidence["is_minimal"] = pair.is_minimal;
  if (pair.by_group) finding.evidence["minimal_by"] = "block";
}

/// Of several findings about weights or fields, one that names what is needed.
bool names_needed(const Finding& finding, const PairRuns& pair, Kind kind) {
  if (kind == Kind::mode) return true;
  if (kind == Kind::config) {
    if (!finding.evidence.contains("fields")) return false;
    // "rope_parameters" is exchanged as a whole, and "rope_parameters.rope_theta" is what differs.
    return std::ranges::any_of(finding.evidence["fields"].items(), [&](const auto& field) {
      return std::ranges::any_of(pair.config, [&](const std::string& name) {
        return field.key() == name || field.key().starts_with(name + ".");
      });
    });
  }
  if (!finding.evidence.contains("tensors")) return true;
  return std::ranges::any_of(finding.evidence["tensors"], [&](const Json& tensor) {
    const auto& name = tensor.get_ref<const std::string&>();
    return std::ranges::find(pair.tensors_a, name) != pair.tensors_a.end() ||
           std::ranges::find(pair.tensors_b, name) != pair.tensors_b.end();
  });
}

/// Of fields of which no table says what they do, the run does.
void settle_meaning(Finding& finding) {
  if (!finding.summary.ends_with(kMeaningNotKnown)) return;
  finding.summary.erase(finding.summary.size() - kMeaningNotKnown.size());
  finding.summary +=
      finding.evidence["fields"].size() == 1 ? "and it moves outputs" : "and they move outputs";
  finding.remedy = "Give both models the same config";
}

void judge_exchange(Finding& finding, const PairRuns& pair, Kind kind) {
  const bool of_pair = finding.subjects == std::vector{pair.a, pair.b};
  const bool of_one = kind == Kind::mode && finding.subjects.size() == 1 &&
                      (is_about(finding, pair.a) || is_about(finding, pair.b));
  if (finding.evidence.contains("beside")) return;  // weights that did not run
  if ((!of_pair && !of_one) || finding.role == Role::note) return;
  if (pair.equal) {
    if (kind == Kind::weights)
      finding.details.emplace_back(
          "on this input the outputs that both give are bit-identical all the same");
    return;
  }
  if (!pair.explained) return;
  const bool needed = pair.needs(kind);
  if (finding.role == Role::risk && (kind == Kind::weights || !needed)) return;
  if (!needed || !names_needed(finding, pair, kind)) {
    if (kind != Kind::mode) finding.role = Role::contributes;
    return;
  }
  finding.role = Role::cause;
  finding.proof = Proof::proved;
  if (kind == Kind::config) settle_meaning(finding);
  const bool fewer = kind == Kind::weights && finding.evidence.contains("count") &&
                     pair.tensors_b.size() < finding.evidence["count"].get<std::size_t>();
  add_proof(finding, pair, kind, fewer);
}

/// Whether runs of PyTorch speak of what this finding says: that a subject of it draws.
bool same_draws(const Finding& finding, const Finding& by_torch) {
  const bool of_draws = finding.cause == "rng.noise" || finding.cause == "mode.training";
  return of_draws && finding.cause == by_torch.cause &&
         std::ranges::any_of(finding.subjects,
                             [&](const std::string& label) { return is_about(by_torch, label); });
}

void judge_by_torch(Finding& finding, const Finding& by_torch) {
  if (finding.role == Role::note || by_torch.proof != Proof::proved) return;
  finding.role = by_torch.role;
  finding.proof = Proof::proved;
  finding.settle.clear();
  finding.details.insert(finding.details.end(), by_torch.details.begin(), by_torch.details.end());
  for (const auto& [key, value] : by_torch.evidence.items()) {
    if (!finding.evidence.contains(key)) finding.evidence[key] = value;
  }
}

/// What runs of PyTorch found and no finding about the files says.
void find_by_torch(Report& report) {
  for (const Finding& each : report.ran->by_torch) {
    const bool is_said = std::ranges::any_of(report.findings, [&](const Finding& finding) {
      return finding.role != Role::note && same_draws(finding, each);
    });
    if (!is_said) report.findings.add(each);
  }
}

void find_token_order(Report& report, const TokenOrders& orders) {
  const OutputPair& pair = orders.outputs;
  add_finding(
      report,
      {.cause = "order.tokens",
       .role = Role::contributes,
       .proof = Proof::proved,
       .subjects = {pair.a, pair.b},
       .summary = "the outputs hold the same tokens in another order",
       .details = {fmt::format("in the order of the patches {} and {} differ by {:.3g} at most, "
                               "as they stand by {:.3g}",
                               pair.a, pair.b, orders.in_one_order, pair.max_abs),
                   "what is left is rounding: sums over tokens are rounded in their order"},
       .evidence = {{"point", pair.point}, {"in_one_order", orders.in_one_order}},
       .remedy = "Put both into one order by ids_restore before comparing, or share the noise"});
}

/// Two processors that make two inputs of the same images, where no file shows how they differ.
void find_other_images(Report& report, const OtherImages& other) {
  const bool named = std::ranges::any_of(report.findings, [&](const Finding& each) {
    return is_of_images(each) && each.role != Role::note &&
           each.subjects == std::vector{other.a, other.b};
  });
  if (named || !other.outputs) return;
  add_finding(report, {.cause = "input.preprocessing",
                       .role = Role::risk,
                       .proof = Proof::observed,
                       .subjects = {other.a, other.b},
                       .summary = "images are prepared differently, though no field of the files "
                                  "says how",
                       .evidence = {{"fields", Json::object()}},
                       .remedy = "Use one preprocessor_config.json for both"});
}

Json field_of(const Report& report, const std::string& label, const std::string& field) {
  const Json& config = subject_of(report, label).checkpoint->config;
  return config.is_object() && config.contains(field) ? config[field] : Json();
}

/// The cause that the runs prove, where no finding says it.
Finding unnamed_cause(const Report& report, const PairRuns& pair) {
  const Kind kind = pair.first_needed();
  Finding finding{.cause = kind == Kind::config ? "config.changed"
                           : kind == Kind::mode ? "mode.training"
                                                : "weights.changed",
                  .role = Role::cause,
                  .proof = Proof::proved,
                  .subjects = {pair.a, pair.b}};
  finding.summary =
      "the outputs differ, and agree once the " + exchanged_text(pair) + " are exchanged";
  add_proof(finding, pair, kind);
  if (kind == Kind::weights) {
    finding.evidence["count"] = pair.tensors_b.size();
    finding.evidence["tensors"] = pair.tensors_b;
  } else if (kind == Kind::mode) {
    finding.evidence["modules"] = Json::array();
  } else {
    for (const std::string& field : pair.config)
      finding.evidence["fields"][field] =
          Json::array({field_of(report, pair.a, field), field_of(report, pair.b, field)});
  }
  return finding;
}

}  // namespace

Finding judged(Finding finding, const Report& report) {
  const RunFacts& ran = *report.ran;
  if (is_of_images(finding)) judge_images(finding, ran);
  if (finding.cause == "rng.noise") judge_noise(finding, report);
  const bool mode = finding.cause == "mode.training";
  if (mode) judge_dropout(finding, ran);
  for (const PairRuns& pair : ran.pairs) {
    if (finding.cause.starts_with("config.")) judge_exchange(finding, pair, Kind::config);
    if (mode) judge_exchange(finding, pair, Kind::mode);
    const bool of_buffers =
        finding.cause == "state.buffers" && finding.evidence.contains("tensors");
    if (finding.cause.starts_with("weights.") || of_buffers)
      judge_exchange(finding, pair, Kind::weights);
  }
  for (const Finding& each : ran.by_torch) {
    if (same_draws(finding, each)) judge_by_torch(finding, each);
  }
  return finding;
}

void find_by_runs(Report& report) {
  if (!report.ran) return;
  for (const TokenOrders& orders : report.ran->token_orders) find_token_order(report, orders);
  for (const OtherImages& other : report.ran->other_images) find_other_images(report, other);
  find_by_torch(report);
  for (const PairRuns& pair : report.ran->pairs) {
    if (pair.equal || !pair.explained || pair.needed() == 0) continue;
    const bool named = std::ranges::any_of(report.findings, [&](const Finding& each) {
      return each.role == Role::cause && each.evidence.contains("minimal") &&
             is_about(each, pair.b);
    });
    if (!named) report.findings.add(unnamed_cause(report, pair));
  }
}

}  // namespace samebits
