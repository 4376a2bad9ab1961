#include "samebits/explain/untied_findings.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/shards.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

const StoredTensor* weight_named(const Checkpoint& checkpoint, std::string_view name) {
  for (const std::uint32_t index : checkpoint.weights().weights)
    if (checkpoint.entries[index].name == name) return &checkpoint.entries[index];
  return nullptr;
}

/// Names of tables of embeddings among the weights: few, of thousands of tensors.
std::vector<std::string> embedding_names(const Checkpoint& checkpoint) {
  constexpr auto kTables = std::to_array<std::string_view>(
      {"embed_tokens.weight", "wte.weight", "word_embeddings.weight", "shared.weight",
       "embed_in.weight", "tok_embeddings.weight", "tokens_embed.weight", "embeddings.weight"});
  std::vector<std::string> names;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const std::string& name = checkpoint.entries[index].name;
    if (std::ranges::any_of(kTables, [&](std::string_view end) { return name.ends_with(end); }))
      names.push_back(name);
  }
  return names;
}

/// The table to which a config ties that name; "" where it ties it to none of the checkpoint.
std::string source_of_tie(const Checkpoint& checkpoint, const std::string& name) {
  for (const std::string& table : embedding_names(checkpoint)) {
    if (model::is_tied_to(name, table) && model::config_ties(checkpoint.config, {table, name}))
      return table;
  }
  return "";
}

/// Of two names, the other side's of a table's partner.
const StoredTensor* partner_of(const Report& report, const WeightPair& pair, bool in_a,
                               const std::string& table) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const bool is_it = (in_a ? weight_name(a, match.a[0]) : weight_name(b, match.b[0])) == table;
    if (is_it) return in_a ? &weight_entry(b, match.b[0]) : &weight_entry(a, match.a[0]);
  }
  return nullptr;
}

/// "encoder.embed_tokens.weight": a table of tokens that a class ties to another one.
bool names_a_table(const std::string& name) { return name.ends_with("embed_tokens.weight"); }

void add_own_head(Report& report, const WeightPair& pair, const Subject& tied, const Subject& other,
                  const std::string& name, const std::string& table) {
  Finding finding{.cause = "weights.tied",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary =
      fmt::format("{} has values of its own in {}; in {}, whose config ties it, it is {}", name,
                  other.label, tied.label, table);
  finding.details.push_back(fmt::format(
      "from_pretrained fills it from {} in {}: nothing of it stays random", table, tied.label));
  finding.evidence = {
      {"count", 1}, {"tensors", Json::array({name})}, {"source", table}, {"side", other.label}};
  finding.remedy =
      names_a_table(name)
          ? fmt::format(
                "Take one of the two on both sides: of a file that holds both, from_pretrained of "
                "transformers 5.24.0 keeps both, with a warning, and 4.57.6 takes {} for {}",
                table, name)
          : fmt::format(
                "Take one of the two on both sides: a head of its own needs tie_word_embeddings "
                "false in the config and {} in the file",
                name);
  add_finding(report, std::move(finding));
}

/// A class that has an output layer at all.
bool has_output_layer(const Json& config) {
  const auto classes = config.find("architectures");
  if (classes == config.end() || !classes->is_array() || classes->empty() ||
      !(*classes)[0].is_string())
    return false;
  const auto& name = (*classes)[0].get_ref<const std::string&>();
  return name.ends_with("ForCausalLM") || name.ends_with("LMHeadModel");
}

/// The classes whose ties were tried with files that hold more than one value.
bool is_of_known_ties(const Json& config) {
  constexpr auto kOneTable = std::to_array<std::string_view>({"t5", "mt5", "umt5"});
  const auto type = config.find("model_type");
  return has_output_layer(config) ||
         (type != config.end() && type->is_string() &&
          std::ranges::find(kOneTable, type->get_ref<const std::string&>()) != kOneTable.end());
}

bool is_any_head(const std::string& name) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"head", "output", "embed_out", "proj_out", "logits"});
  return std::ranges::any_of(
      kWords, [&](std::string_view word) { return name.find(word) != std::string::npos; });
}

void find_absent_head(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  const bool says_untied =
      model::keeps_heads_apart(checkpoint.config) && has_output_layer(checkpoint.config);
  if (!says_untied || !checkpoint.unread.empty()) return;
  const std::vector<std::string> tables = embedding_names(checkpoint);
  const bool has_table = std::ranges::any_of(
      tables, [](const std::string& table) { return model::is_tied_to("lm_head.weight", table); });
  const auto& weights = checkpoint.weights().weights;
  const bool has_head = std::ranges::any_of(
      weights, [&](std::uint32_t index) { return is_any_head(checkpoint.entries[index].name); });
  if (!has_table || has_head) return;
  Finding finding{.cause = "weights.missing",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "the config of {} does not tie the output layer to the embeddings, and the file has no "
      "lm_head.weight: from_pretrained leaves it at random values, with a warning",
      subject.label);
  finding.evidence = {
      {"count", 1}, {"tensors", Json::array({"lm_head.weight"})}, {"side", subject.label}};
  finding.remedy =
      "Set tie_word_embeddings to true if the model was trained so, or save the output layer with "
      "it";
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_own_heads(Report& report, const WeightPair& pair) {
  constexpr std::size_t kMostAlone = 256;
  std::set<std::string> found;
  const WeightComparison& comparison = pair.comparison;
  if (comparison.only_a.size() + comparison.only_b.size() > kMostAlone) return found;
  for (const bool in_a : {true, false}) {
    const Subject& own = subject_of(report, in_a ? pair.a : pair.b);
    const Subject& other = subject_of(report, in_a ? pair.b : pair.a);
    if (!other.checkpoint->config.is_object() || !is_of_known_ties(other.checkpoint->config))
      continue;
    for (const std::string& name : in_a ? comparison.only_a : comparison.only_b) {
      const std::string table = source_of_tie(*other.checkpoint, name);
      const StoredTensor* head = weight_named(*own.checkpoint, name);
      const StoredTensor* partner =
          table.empty() ? nullptr : partner_of(report, pair, !in_a, table);
      if (head == nullptr || partner == nullptr || have_equal_values(*head, *partner)) continue;
      add_own_head(report, pair, other, own, name, table);
      found.insert(name);
    }
  }
  return found;
}

void find_tie_conflict(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  const bool is_pretrained = checkpoint.kind == CheckpointKind::hf_directory &&
                             checkpoint.config.is_object() && checkpoint.has_weights();
  if (!is_pretrained) return;
  find_absent_head(report, subject);
  for (const std::string& table : embedding_names(checkpoint)) {
    for (const std::uint32_t index : checkpoint.weights().weights) {
      const StoredTensor& tied = checkpoint.entries[index];
      if (!model::is_tied_to(tied.name, table) || !tied.name.ends_with("weight") ||
          !is_of_known_ties(checkpoint.config) ||
          !model::config_ties(checkpoint.config, {table, tied.name}))
        continue;
      const StoredTensor* source = weight_named(checkpoint, table);
      if (source == nullptr || !source->readable || !tied.readable ||
          (report.command == "inspect" ? begin_alike(*source, tied)
                                       : have_equal_values(*source, tied)))
        continue;
      Finding finding{.cause = "weights.tied",
                      .role = Role::risk,
                      .proof = Proof::observed,
                      .subjects = {subject.label}};
      finding.summary = fmt::format(
          "the config of {} ties {} to {}, and the file has other values for it: from_pretrained "
          "of transformers 4.57.6 takes {} for both, 5.24.0 keeps both",
          subject.label, tied.name, table, table);
      finding.evidence = {{"count", 1}, {"tensors", Json::array({tied.name})}, {"source", table}};
      finding.remedy = fmt::format(
          "Set tie_word_embeddings to false if {} was trained, or take it out of the "
          "file",
          tied.name);
      add_finding(report, std::move(finding));
    }
  }
}

bool is_tied_in_values_alone(const Report& report, const Subject& a, const Subject& b) {
  const WeightPair* pair = weights_of(report, a, b);
  if (pair == nullptr || !says_equal(pair->comparison.verdict)) return false;
  return std::ranges::any_of(pair->comparison.ties, [&](const TieDifference& tie) {
    const bool a_holds_both = tie.names_a.size() == 2 && tie.names_b.size() == 1;
    const bool b_holds_both = tie.names_b.size() == 2 && tie.names_a.size() == 1;
    if (!a_holds_both && !b_holds_both) return false;
    const Subject& tied = a_holds_both ? b : a;
    return model::config_ties(tied.checkpoint->config, a_holds_both ? tie.names_a : tie.names_b);
  });
}

}  // namespace samebits
