#include "samebits/explain/tied_findings.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "samebits/checkpoint/shards.h"
#include "samebits/compare/settled_verdict.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

using TiedNames = std::vector<std::string>;

std::optional<std::uint32_t> weight_index_in(const Checkpoint& checkpoint,
                                             const std::string& name) {
  const std::vector<std::uint32_t>& weights = checkpoint.weights().weights;
  for (std::uint32_t i = 0; i < weights.size(); ++i)
    if (checkpoint.entries[weights[i]].name == name) return i;
  return std::nullopt;
}

/// What says that names are one tensor, in words; "" where nothing does.
class TieReasons {
 public:
  TieReasons(const Subject& a, const Subject& b) : subjects_{&a, &b} {}

  std::string reason(const TiedNames& names) const {
    for (const Subject* subject : subjects_) {
      if (model::config_ties(subject->checkpoint->config, names))
        return fmt::format("a model built from the config of {} has one tensor under these names",
                           subject->label);
    }
    for (const Subject* subject : subjects_)
      if (are_aliases(*subject, names))
        return "the metadata of " + subject->label + " says that they are one tensor";
    // What a class ties by its config was asked for above.
    if (model::are_tied_names(names) || !model::are_in_a_tied_list(names)) return "";
    for (const Subject* subject : subjects_)
      if (leaves_out_tied_names(*subject, names))
        return "save_pretrained, which wrote " + subject->label +
               ", leaves out no names of shared tensors but those that the class ties";
    return "";
  }

 private:
  /// save_pretrained() of both versions ends with an error where a class shares tensors whose names
  /// it does not tie.
  static bool leaves_out_tied_names(const Subject& subject, const TiedNames& names) {
    const Checkpoint& checkpoint = *subject.checkpoint;
    if (checkpoint.kind != CheckpointKind::hf_directory || !checkpoint.producer.is_object())
      return false;
    const auto metadata = checkpoint.producer.find("metadata");
    const bool of_torch = metadata != checkpoint.producer.end() && metadata->is_object() &&
                          metadata->contains("format") && (*metadata)["format"] == "pt";
    const auto held = std::ranges::count_if(names, [&](const std::string& name) {
      return weight_index_in(checkpoint, name).has_value();
    });
    return of_torch && held == 1;
  }

  /// save_model() of safetensors writes {"name left out": "name kept"}.
  static bool are_aliases(const Subject& subject, const TiedNames& names) {
    const Json& producer = subject.checkpoint->producer;
    if (!producer.is_object() || !producer.contains("metadata") || names.size() < 2) return false;
    const Json& aliases = producer["metadata"];
    if (!aliases.is_object()) return false;
    return std::ranges::any_of(names, [&](const std::string& kept) {
      return std::ranges::all_of(names, [&](const std::string& name) {
        const auto alias = aliases.find(name);
        return name == kept || (alias != aliases.end() && alias->is_string() && *alias == kept);
      });
    });
  }

  const Subject* subjects_[2];
};

/// The other side's name for a matched tensor of this side.
std::optional<std::string> partner_of(const Report& report, const WeightPair& pair, bool in_a,
                                      std::uint32_t index) {
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    if ((in_a ? match.a[0] : match.b[0]) != index) continue;
    return in_a ? weight_name(subject_of(report, pair.b), match.b[0])
                : weight_name(subject_of(report, pair.a), match.a[0]);
  }
  return std::nullopt;
}

/// A name that stands on one side only, with the matched tensor of that side that it is tied to.
std::optional<TieDifference> tie_of(const Report& report, const WeightPair& pair, bool in_a,
                                    const std::string& name, const TieReasons& reasons) {
  const Subject& own = subject_of(report, in_a ? pair.a : pair.b);
  const auto index = weight_index_in(*own.checkpoint, name);
  if (!index) return std::nullopt;
  for (std::uint32_t i = 0; i < own.checkpoint->weights().weights.size(); ++i) {
    const std::string& other = weight_name(own, i);
    if (other == name || reasons.reason({other, name}).empty()) continue;
    const auto partner = partner_of(report, pair, in_a, i);
    if (!partner || !have_equal_values(weight_entry(own, i), weight_entry(own, *index))) continue;
    TieDifference tie{{other, name}, {*partner}, ""};
    tie.summary = fmt::format("{} and {} hold the same values in {} and stand only as {} in {}",
                              other, name, own.label, *partner, in_a ? pair.b : pair.a);
    if (!in_a) std::swap(tie.names_a, tie.names_b);
    return tie;
  }
  return std::nullopt;
}

/// A directory that holds the tied tensor only under the name of the output layer.
void note_under_output_name(Report& report, const WeightPair& pair, const TieReasons& reasons) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& left = weight_name(a, match.a[0]);
    const std::string& right = weight_name(b, match.b[0]);
    const bool in_b = model::is_tied_to(right, left);
    if (left == right || (!in_b && !model::is_tied_to(left, right))) continue;
    const Subject& holder = in_b ? b : a;
    const std::string& name = in_b ? right : left;
    const std::string& source = in_b ? left : right;
    if (holder.checkpoint->kind != CheckpointKind::hf_directory || name.ends_with("bias") ||
        name.ends_with("embed_tokens.weight") || reasons.reason({source, name}).empty())
      continue;
    Finding finding{.cause = "weights.tied",
                    .role = Role::note,
                    .proof = Proof::observed,
                    .subjects = {holder.label}};
    finding.summary = fmt::format(
        "{} has the tied tensor only as {}: from_pretrained of transformers 5.24.0 fills {} from "
        "it, that of 4.57.6 leaves both without values (on the meta device)",
        holder.label, name, source);
    finding.evidence = {{"count", 1}, {"tensors", Json::array({name})}, {"source", source}};
    add_finding(report, std::move(finding));
    return;
  }
}

bool is_in_a_tie(const WeightComparison& comparison, const std::string& name) {
  return std::ranges::any_of(comparison.ties, [&](const TieDifference& tie) {
    return std::ranges::count(tie.names_a, name) + std::ranges::count(tie.names_b, name) > 0;
  });
}

}  // namespace

void settle_ties(const Report& report, WeightPair* pair) {
  constexpr std::size_t kMostAlone = 256;  // a detector's tied heads of all its layers
  WeightComparison& comparison = pair->comparison;
  if (comparison.only_a.size() + comparison.only_b.size() > kMostAlone) return;
  const TieReasons reasons(subject_of(report, pair->a), subject_of(report, pair->b));
  bool found = false;
  for (const bool in_a : {true, false}) {
    for (const std::string& name : in_a ? comparison.only_a : comparison.only_b) {
      if (is_in_a_tie(comparison, name)) continue;
      if (auto tie = tie_of(report, *pair, in_a, name, reasons)) {
        comparison.ties.push_back(std::move(*tie));
        found = true;
      }
    }
  }
  if (found) settle_verdict(&comparison);
}

namespace {

Finding tie_finding(const WeightPair& pair, const std::string& reason) {
  Finding finding{.cause = "weights.tied",
                  .role = reason.empty() ? Role::risk : Role::note,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  if (!reason.empty()) finding.evidence["tied_by"] = reason;
  if (reason.empty())
    finding.remedy =
        "Where the model's class has one tensor under these names, tie it after loading "
        "(tie_weights() in transformers) or save it under every name; otherwise one side has "
        "modules that the other lacks";
  return finding;
}

/// Several tensors that are tied for one reason.
struct TieGroup {
  std::string reason;
  std::vector<const TieDifference*> ties;
};

std::string group_summary(const TieGroup& group, const std::string& reason) {
  const std::string& first = group.ties[0]->summary;
  const std::string text = group.ties.size() == 1 ? first
                                                  : fmt::format("{} tensors are tied otherwise: {}",
                                                                group.ties.size(), first);
  return reason.empty() ? text : text + "; " + reason;
}

}  // namespace

void find_ties(Report& report, const WeightPair& pair) {
  constexpr std::size_t kMostApart = 3;  // that have a finding each
  const TieReasons reasons(subject_of(report, pair.a), subject_of(report, pair.b));
  std::vector<TieGroup> groups;
  const bool together = pair.comparison.ties.size() > kMostApart;
  for (const TieDifference& tie : pair.comparison.ties) {
    const TiedNames& names = tie.names_a.size() > tie.names_b.size() ? tie.names_a : tie.names_b;
    const std::string reason = reasons.reason(names);
    const auto same = std::ranges::find(groups, reason, &TieGroup::reason);
    if (!together || same == groups.end())
      groups.push_back({reason, {&tie}});
    else
      same->ties.push_back(&tie);
  }
  for (const TieGroup& group : groups) {
    Finding finding = tie_finding(pair, group.reason);
    finding.summary = group_summary(group, group.reason);
    TiedNames listed;
    TiedNames names_b;
    for (const TieDifference* tie : group.ties) {
      const TiedNames& names = tie->names_a.empty() ? tie->names_b : tie->names_a;
      listed.insert(listed.end(), names.begin(), names.end());
      names_b.insert(names_b.end(), tie->names_b.begin(), tie->names_b.end());
    }
    finding.evidence["count"] = listed.size();
    finding.evidence["tensors"] = name_list(listed);
    finding.evidence["names_b"] = name_list(names_b);
    add_finding(report, std::move(finding));
  }
  note_under_output_name(report, pair, reasons);
}

}  // namespace samebits
