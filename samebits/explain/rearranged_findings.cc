#include "samebits/explain/rearranged_findings.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/name_pieces.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/explain/permuted_experts.h"
#include "samebits/explain/permuted_labels.h"
#include "samebits/explain/permuted_units.h"
#include "samebits/explain/subjects.h"
#include "samebits/family/segment_words.h"

namespace samebits {
namespace {

Finding rearranged_finding(const WeightPair& pair, Role role,
                           const std::vector<std::string>& names) {
  Finding finding{.cause = "weights.rearranged",
                  .role = role,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
  return finding;
}

enum class Rows { tokens, positions, classes, other };

/// What a row is for, as the names say.
Rows rows_of(const std::string& name) {
  const Pieces pieces = split_name(name);
  Rows rows = Rows::other;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view part = without_dot(pieces[i]);
    if (part.find("position") != std::string_view::npos || part == "wpe" || part == "pos_embed" ||
        part == "pos_embedding")
      return Rows::positions;
    if (part == "lm_head" || part == "tok_embeddings" || part == "embed_out") return Rows::tokens;
    if (model::names_head(part, i == 0)) rows = Rows::classes;
    if (part.find("word_embed") != std::string_view::npos || part == "embed_tokens" ||
        part == "wte" || part == "shared")
      return Rows::tokens;
  }
  return rows;
}

std::string rows_remedy(const Exchange& exchange) {
  const Rows rows = rows_of(exchange.names_a[0]);
  const bool alike = std::ranges::all_of(
      exchange.names_a, [&](const std::string& name) { return rows_of(name) == rows; });
  if (alike && rows == Rows::tokens)
    return "Take the weights and the tokenizer of one of the two on both sides: a row belongs to "
           "the token of its number";
  if (alike && rows == Rows::positions)
    return "Take one of the two files on both sides: a row belongs to the position of its number";
  if (alike && rows == Rows::classes)
    return "Bring the rows of the classifier into the order of one list of labels on both sides";
  return "Bring them into one order on both sides, that in which the model's code takes the rows";
}

/// Names lead a tensor to its place; what stands otherwise inside it they do not mend.
std::string exchange_remedy(const Exchange& exchange) {
  const auto holds = [&](std::string_view word) {
    return exchange.how.find(word) != std::string::npos;
  };
  if (exchange.how.empty()) return "Load each tensor under the name that it was saved under";
  if (holds(kRotaryToPairs) || holds(kRotaryToHalves))
    return "Bring query and key into one order: Meta's code rotates pairs of rows, transformers "
           "halves of a head, and convert_llama_weights_to_hf.py of transformers permutes them";
  if (holds(kChannelsReversed))
    return "Take the channels of pictures in the order that each side expects (RGB, or BGR), or "
           "turn "
           "the kernels round: weight.flip(1)";
  if (holds("stacked") || holds("cut") || holds("order of its own"))
    return "Stack the parts in the order that the model's code takes them apart in";
  return rows_remedy(exchange);
}

/// "vit.layers.{n}.mlp.fc1, n = 0, 1": what the summary says besides what stands otherwise.
std::string place_of(const Exchange& exchange) {
  std::string text = exchange.summary;
  const std::size_t at = text.find(" " + exchange.how);
  return at == std::string::npos ? text : text.erase(at, exchange.how.size() + 1);
}

/// What the layers that give the units and those that take them have in common.
void add_permuted_units(Report& report, const WeightPair& pair,
                        const std::vector<const Exchange*>& exchanges) {
  std::vector<std::string> names;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  for (const Exchange* exchange : exchanges) {
    names.insert(names.end(), exchange->names_a.begin(), exchange->names_a.end());
    const bool of_columns = exchange->how.find("columns") != std::string::npos;
    (of_columns ? columns : rows).push_back(place_of(*exchange));
  }
  Finding finding = rearranged_finding(pair, Role::cause, names);
  finding.summary = fmt::format(
      "the rows of {} and the columns of {} stand in one other order: the same units, sorted "
      "otherwise",
      some_of(rows), some_of(columns));
  finding.details.emplace_back(
      "where the layers with the columns take what those with the rows give, they compute the "
      "same, but for the order of their sums");
  finding.evidence["units"] = true;
  finding.remedy = kOnlyRounding;
  add_finding(report, std::move(finding));
}

void add_permuted_experts(Report& report, const WeightPair& pair,
                          const std::set<std::string>& names) {
  Finding finding = rearranged_finding(pair, Role::cause, {names.begin(), names.end()});
  std::set<std::string> layers;
  for (const std::string& name : names) {
    const std::size_t at = name.find("experts.");
    if (at != std::string::npos) layers.insert(name.substr(0, at + std::string("experts").size()));
  }
  finding.summary = fmt::format(
      "the experts of {} stand in another order, and the rows of their {} with them",
      some_of({layers.begin(), layers.end()}), layers.size() == 1 ? "router" : "routers");
  finding.details.emplace_back(
      "each token goes to the same experts: the model computes the same, but for the order of "
      "sums");
  finding.evidence["experts"] = true;
  finding.remedy = kOnlyRounding;
  add_finding(report, std::move(finding));
}

bool all_in(const std::vector<std::string>& names, const std::set<std::string>& known) {
  return std::ranges::all_of(names, [&](const std::string& name) { return known.contains(name); });
}

/// Exchanges with one reason and one remedy.
struct ExchangeGroup {
  std::vector<const Exchange*> members;
  std::string remedy;
  bool labelled = false;  // the labels moved with the rows
};

std::vector<ExchangeGroup> grouped(const std::vector<const Exchange*>& exchanges,
                                   const std::set<std::string>& labelled) {
  constexpr std::size_t kMostApart = 3;  // of tensors in one another's places, which are told apart
  const auto moved = static_cast<std::size_t>(std::ranges::count_if(
      exchanges, [](const Exchange* exchange) { return exchange->how.empty(); }));
  std::vector<ExchangeGroup> groups;
  for (const Exchange* exchange : exchanges) {
    const bool keeps_labels = !labelled.empty() && all_in(exchange->names_a, labelled);
    const std::string remedy = exchange_remedy(*exchange);
    const auto known = std::ranges::find_if(groups, [&](const ExchangeGroup& group) {
      return group.members[0]->how == exchange->how && group.remedy == remedy &&
             group.labelled == keeps_labels && (!exchange->how.empty() || moved > kMostApart);
    });
    ExchangeGroup& group = known != groups.end()
                               ? *known
                               : groups.emplace_back(ExchangeGroup{{}, remedy, keeps_labels});
    group.members.push_back(exchange);
  }
  return groups;
}

std::string summary_of(const ExchangeGroup& group) {
  const Exchange& first = *group.members[0];
  if (group.members.size() == 1) return first.summary;
  std::vector<std::string> places;
  for (const Exchange* exchange : group.members) places.push_back(place_of(*exchange));
  if (first.how.empty())
    return fmt::format("{}, and {} more like it", first.summary, group.members.size() - 1);
  return fmt::format("{}: each {}", some_of(places), first.how);
}

void add_exchanges(Report& report, const WeightPair& pair, const ExchangeGroup& group) {
  std::vector<std::string> names;
  std::vector<std::string> from;
  for (const Exchange* exchange : group.members) {
    names.insert(names.end(), exchange->names_a.begin(), exchange->names_a.end());
    from.insert(from.end(), exchange->names_b.begin(), exchange->names_b.end());
  }
  Finding finding = rearranged_finding(pair, Role::cause, names);
  finding.summary = summary_of(group);
  finding.details.push_back(fmt::format("{}: {}", counted(names.size(), "tensor"), some_of(names)));
  finding.evidence["from"] = name_list(from);
  finding.remedy = group.remedy;
  if (group.labelled) {
    finding.details.emplace_back(
        "id2label names the classes in the same other order: each label keeps its row");
    finding.evidence["labels"] = true;
    finding.remedy =
        "Nothing where outputs are read by label; where they are read by number, take the "
        "weights and the config of one of the two on both sides";
  }
  add_finding(report, std::move(finding));
}

void find_exchanges(Report& report, const WeightPair& pair) {
  if (pair.comparison.exchanges.empty()) return;
  const std::set<std::string> experts = permuted_experts(report, pair);
  const std::set<std::string> in_units = permuted_units(report, pair);
  std::vector<const Exchange*> of_units;
  std::vector<const Exchange*> others;
  for (const Exchange& exchange : pair.comparison.exchanges) {
    if (all_in(exchange.names_a, experts)) continue;
    (all_in(exchange.names_a, in_units) ? of_units : others).push_back(&exchange);
  }
  for (const ExchangeGroup& group : grouped(others, rows_with_their_labels(report, pair)))
    add_exchanges(report, pair, group);
  if (!experts.empty()) add_permuted_experts(report, pair, experts);
  if (!of_units.empty()) add_permuted_units(report, pair, of_units);
}

void find_arrangements(Report& report, const WeightPair& pair, bool in_place) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  std::vector<std::string> names;
  std::set<std::string> how;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::rearranged || match.in_place != in_place) continue;
    how.insert(match.how.starts_with("reshaped") ? "reshaped" : match.how);
    names.push_back(match.a.empty() ? weight_name(b, match.b[0]) : weight_name(a, match.a[0]));
  }
  if (names.empty()) return;
  Finding finding = rearranged_finding(pair, in_place ? Role::cause : Role::note, names);
  finding.summary =
      fmt::format("{} the same values in another arrangement ({})",
                  counted(names.size(), "weight", "holds", "hold"), fmt::join(how, "; "));
  const auto is_rotary = [](const std::string& text) {
    return text.find(kRotaryToPairs) != std::string::npos ||
           text.find(kRotaryToHalves) != std::string::npos;
  };
  if (!in_place && std::ranges::any_of(how, is_rotary))
    finding.details.emplace_back(
        "by their names one side is for Meta's code, which rotates pairs of rows, and the other "
        "for "
        "code that rotates halves of a head: each has the order that its code needs");
  if (in_place) {
    finding.details.push_back(names[0] + (names.size() > 1 ? " and others" : "") +
                              ": the shape is the same on both sides, so a loader takes it as "
                              "it stands, and the outputs differ");
    finding.remedy = "Find out which of the two layouts the model's code expects";
  }
  add_finding(report, std::move(finding));
}

/// Weights under the names of Meta's Llama.
bool has_metas_names(const Subject& subject) {
  const auto& weights = subject.checkpoint->weights().weights;
  return std::ranges::any_of(weights, [&](std::uint32_t index) {
    return subject.checkpoint->entries[index].name.ends_with("tok_embeddings.weight");
  });
}

/// Query and key under Meta's names that are bit-identical to those under other names: in the order
/// that the other code reads, and not Meta's.
void find_metas_order(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  if (has_metas_names(a) == has_metas_names(b)) return;
  const Subject& metas = has_metas_names(a) ? a : b;
  std::vector<std::string> names;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::renamed || match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& name =
        &metas == &a ? weight_name(a, match.a[0]) : weight_name(b, match.b[0]);
    if (name.ends_with(".attention.wq.weight") || name.ends_with(".attention.wk.weight"))
      names.push_back(name);
  }
  if (names.empty()) return;
  Finding finding = rearranged_finding(pair, Role::risk, names);
  finding.summary = fmt::format(
      "{} has Meta's names, and query and key in the order of rows of {}: Meta's code rotates "
      "pairs "
      "of rows, and code with the other names halves of a head",
      metas.label, &metas == &a ? b.label : a.label);
  finding.remedy =
      "Where Meta's code is to load it, bring the rows of wq and wk into its order: the reverse of "
      "what convert_llama_weights_to_hf.py of transformers does";
  add_finding(report, std::move(finding));
}

}  // namespace

void find_rearranged(Report& report, const WeightPair& pair) {
  find_exchanges(report, pair);
  for (const bool in_place : {true, false}) find_arrangements(report, pair, in_place);
  find_metas_order(report, pair);
}

}  // namespace samebits
