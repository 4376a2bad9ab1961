#include "samebits/explain/load_risks.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/load_blocks.h"
#include "samebits/explain/load_changes.h"
#include "samebits/explain/load_codes.h"
#include "samebits/explain/load_exchanges.h"
#include "samebits/explain/load_forms.h"
#include "samebits/explain/load_shapes.h"
#include "samebits/explain/load_states.h"
#include "samebits/explain/load_ties.h"
#include "samebits/explain/load_transposes.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/subjects.h"
#include "samebits/model/predict_load.h"
#include "samebits/model/tied_names.h"

namespace samebits {
namespace {

Finding load_finding(const LoadReport& load, const char* cause,
                     const std::vector<std::string>& names, std::string summary) {
  Finding finding{.cause = cause, .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = std::move(summary);
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"target", load.target},
                      {"way", load.way}};
  return finding;
}

/// The same load into what else the target may be: its files' names, another version's model.
std::string target_clause(const Report& report, const LoadReport& load) {
  std::string clause;
  for (const LoadReport& other : report.loads)
    if (other.way == load.way && other.target != load.target)
      clause += fmt::format("; into {}, {} of {} {} loaded", other.target, other.loaded,
                            other.target_tensors, other.loaded == 1 ? "is" : "are");
  return clause;
}

std::string rule_text(const RenameRule& rule) {
  const auto shown = [](const std::string& part) { return part.empty() ? "(nothing)" : part; };
  return fmt::format("{} -> {}", shown(rule.from), shown(rule.to));
}

/// The model that was saved has one tensor under both names.
std::string copy_text(const LoadReport& load) {
  if (load.copies.empty()) return "";
  const NamePairOfOne& first = load.copies[0];
  return fmt::format(
      "Copy before loading: state[\"{}\"] = state[\"{}\"]{}; the config of the "
      "checkpoint makes them one tensor",
      first.second, first.first, load.copies.size() > 1 ? ", and so on" : "");
}

/// Experts of a layer that stand in the checkpoint one by one, and in the target in one tensor.
bool are_stacked_experts(const LoadReport& load) {
  const auto is_numbered = [](const std::string& name) {
    const std::size_t at = name.find(".experts.");
    return at != std::string::npos && at + 9 < name.size() &&
           std::isdigit(static_cast<unsigned char>(name[at + 9])) != 0;
  };
  const auto is_stack = [&](const std::string& name) {
    return name.find(".experts.") != std::string::npos && !is_numbered(name);
  };
  return std::ranges::any_of(load.random, is_stack) &&
         std::ranges::any_of(load.dropped, is_numbered);
}

/// A norm by the last part of its module's name: "layernorm_before", "bn1", "ln_f".
bool is_norm(std::string_view module) {
  const std::string_view last = module.substr(module.rfind('.') + 1);
  return last.find("norm") != std::string_view::npos ||
         last.find("Norm") != std::string_view::npos || last.starts_with("bn") ||
         last.starts_with("ln");
}

/// Running statistics, and the scales and shifts of norms: they begin at constants in every
/// library.
std::size_t count_constant(const std::vector<std::string>& names) {
  const std::set<std::string> all(names.begin(), names.end());
  return static_cast<std::size_t>(std::ranges::count_if(names, [&](const std::string& name) {
    const std::size_t dot = name.rfind('.');
    const std::string module = dot == std::string::npos ? "" : name.substr(0, dot);
    const bool scale = name.ends_with(".weight") || name.ends_with(".bias");
    return is_running_statistic(name) ||
           (scale && (is_norm(module) || all.contains(module + ".running_mean")));
  }));
}

bool are_flat_parameters(const std::vector<std::string>& names) {
  return std::ranges::any_of(names,
                             [](const std::string& name) { return name.ends_with("_flat_param"); });
}

std::string text_without_repair(const LoadReport& load) {
  if (!load.codes.absent.empty()) return codes_remedy(load);
  if (are_flat_parameters(load.dropped))
    return "The values stand end to end in flat parameters of FSDP: save the whole state dict "
           "there, with StateDictType.FULL_STATE_DICT";
  if (!load.searched) return "Too many tensors to search for a renaming: compare the names by hand";
  if (std::string held = held_text(load); !held.empty()) return held;
  if (count_constant(load.random) == load.random.size())
    return "Take another checkpoint, or train them, unless the norms were folded into the layers "
           "before them: then such a norm changes nothing but for its eps";
  if (load.dropped.empty() && load.mismatched.empty())
    return "Nothing else in the checkpoint could fill them: take another checkpoint, or train them";
  return "No renaming found that would fill them. Where the checkpoint has their values in another "
         "form (stacked, cut, in factors), build them of it; else take another checkpoint, or "
         "train "
         "them";
}

std::string repair_text(const LoadReport& load) {
  if (are_stacked_experts(load))
    return "The target has the experts of a layer in one tensor, as modules of transformers 5.24.0 "
           "do: its from_pretrained stacks those of the checkpoint; load by it, and take the "
           "state_dict() of that model";
  if (std::string copy = copy_text(load);
      !copy.empty() && load.copies.size() == load.random.size() && load.mismatched.empty())
    return copy;
  if (load.repair.empty() && load.refits.empty()) return text_without_repair(load);
  constexpr std::size_t kShown = 2;
  std::string text = "Rearrange before loading";
  if (!load.repair.empty() && load.repair.size() <= kShown) {
    text = "Rename before loading: " + rule_text(load.repair[0]);
    for (std::size_t i = 1; i < load.repair.size(); ++i) text += "; " + rule_text(load.repair[i]);
  } else if (!load.repair.empty()) {
    text = fmt::format("Rename before loading, by the {} rules of the repair", load.repair.size());
  }
  if (!load.refits.empty())
    text += fmt::format("; {} cut or stacked along dimension 0",
                        counted(load.refits.size(), "template"));
  text += fmt::format(" (restores {} of {})", load.restored.size(),
                      load.random.size() + load.mismatched.size());
  if (const std::string held = held_text(load); !held.empty()) text += "; " + held;
  return text;
}

/// An output layer that other classes take from the embeddings.
bool are_tied_elsewhere(const Report& report, const LoadReport& load) {
  const Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  if (!checkpoint.config.is_object() || !load.mismatched.empty()) return false;
  const std::vector<std::uint32_t>& weights = checkpoint.weights().weights;
  return std::ranges::all_of(load.random, [&](const std::string& name) {
    return std::ranges::any_of(weights, [&](std::uint32_t index) {
      return model::is_tied_to(name, checkpoint.entries[index].name);
    });
  });
}

/// Names of the checkpoint without values: these stand in other files.
bool are_placeholders(const Checkpoint& checkpoint, const std::vector<std::string>& names) {
  std::set<std::string_view> absent;
  for (const std::uint32_t index : checkpoint.weights().weights)
    if (checkpoint.entries[index].absent) absent.insert(checkpoint.entries[index].name);
  return std::ranges::all_of(names, [&](const std::string& name) { return absent.contains(name); });
}

std::string random_remedy(const Report& report, const LoadReport& load) {
  if (are_placeholders(*report.subjects[0].checkpoint, load.random))
    return "Name the checkpoint's folder: their values stand in other files of it";
  const bool repairs = !load.repair.empty() || !load.refits.empty() || !load.copies.empty();
  if (repairs) return repair_text(load);
  if (are_tied_elsewhere(report, load))
    return "Set tie_word_embeddings to true if the model was trained so, or save the output layer "
           "with it";
  if (std::string text = random_blocks_remedy(report, load); !text.empty()) return text;
  return repair_text(load);
}

/// A model inside a class with a head, or the other way round: what from_pretrained renames itself.
std::string base_prefix_text(const Report& report, const LoadReport& load) {
  const bool directory = report.subjects[0].checkpoint->kind == CheckpointKind::hf_directory;
  const bool one_prefix = load.repair.size() == 1 && load.refits.empty() &&
                          load.repair[0].from.empty() != load.repair[0].to.empty();
  if (!directory || !one_prefix || load.way == model::way_name(model::Way::from_pretrained))
    return "";
  const RenameRule& rule = load.repair[0];
  return fmt::format(
      "the target's from_pretrained {} {} itself, where that is the class's base_model_prefix",
      rule.from.empty() ? "adds" : "takes away", rule.from.empty() ? rule.to : rule.from);
}

bool holds_update(const std::vector<std::string>& names) {
  return std::ranges::any_of(
      names, [](const std::string& name) { return name.find(".lora_A.") != std::string::npos; });
}

void find_random(Report& report, const LoadReport& load) {
  if (load.random.empty() || (!load.remedy.empty() && !load.raises.empty())) return;
  const std::size_t constant = count_constant(load.random);
  const bool all_constant = constant == load.random.size();
  const std::string told = load.silent ? "without a word" : "with a warning";
  Finding finding = load_finding(
      load, "weights.reinitialized", load.random,
      load.raises.empty()
          ? fmt::format("{} would leave {} of {} at {} initial values, {}{}", load.way,
                        load.random.size(), counted(load.target_tensors, "tensor"),
                        all_constant ? "their constant" : "random", told,
                        target_clause(report, load))
          : counted_of(load.random.size(), load.target_tensors, "tensor", "has", "have") +
                " nothing in the checkpoint under " +
                (load.random.size() == 1 ? "its name" : "their names"));
  if (all_constant)
    finding.details.emplace_back(
        "they are scales, shifts and statistics of norms, which begin at constants: every load "
        "gives the same");
  else if (constant > 0)
    finding.details.push_back(
        fmt::format("{} of these tensors are of norms, which begin at constants", constant));
  if (load.written_for_5_only)
    finding.details.push_back(
        "transformers 5.24.0 writes this class under these names, which 4.57.6 does not know");
  if (!load.ambiguous.empty())
    finding.details.push_back("other tensors of the checkpoint would do as well, under " +
                              fmt::format("{}", fmt::join(load.ambiguous, ", ")));
  if (std::string text = base_prefix_text(report, load); !text.empty())
    finding.details.push_back(std::move(text));
  for (std::string& text : random_blocks_text(load)) finding.details.push_back(std::move(text));
  finding.remedy = load.remedy.empty() ? random_remedy(report, load) : load.remedy;
  add_finding(report, std::move(finding));
}

void find_counters(Report& report, const LoadReport& load) {
  if (load.counters.empty()) return;
  Finding finding = load_finding(
      load, "state.buffers", load.counters,
      fmt::format("{} not in the checkpoint and keep the model's value, 0 in a new one",
                  counted(load.counters.size(), "counter", "is", "are")));
  finding.role = Role::note;
  finding.details.emplace_back("outputs in eval mode do not depend on such a counter");
  add_finding(report, std::move(finding));
}

void find_tables(Report& report, const LoadReport& load) {
  if (load.tables.empty()) return;
  Finding finding =
      load_finding(load, "state.buffers", load.tables,
                   fmt::format("{} not in the checkpoint and {} what a class computes when it is "
                               "built",
                               counted(load.tables.size(), "table", "is", "are"),
                               load.tables.size() == 1 ? "holds" : "hold"));
  finding.role = Role::note;
  add_finding(report, std::move(finding));
}

void find_dropped_tables(Report& report, const LoadReport& load) {
  if (load.dropped_tables.empty()) return;
  Finding finding =
      load_finding(load, "state.buffers", load.dropped_tables,
                   fmt::format("{} not used: the target's class computes such a table when it is "
                               "built",
                               counted(load.dropped_tables.size(), "table", "is", "are")));
  finding.role = Role::note;
  add_finding(report, std::move(finding));
}

/// Of a load with a repair.
std::string unplaced_text(const LoadReport& load) {
  constexpr std::size_t kShown = 3;
  const std::vector<std::string> first(
      load.unplaced.begin(),
      load.unplaced.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, load.unplaced.size())));
  return fmt::format("{} no place with the repair either, so that what they do is lost: {}{}",
                     counted_of(load.unplaced.size(), load.dropped.size(), "tensor", "has", "have"),
                     fmt::join(first, ", "),
                     load.unplaced.size() > kShown
                         ? fmt::format(", and {} more", load.unplaced.size() - kShown)
                         : "");
}

void find_dropped(Report& report, const LoadReport& load) {
  if (load.dropped.empty() || are_scales_alone(load)) return;
  Finding finding = load_finding(load, "weights.missing", load.dropped,
                                 fmt::format("{} would be dropped: the target has no such name",
                                             counted(load.dropped.size(), "tensor")));
  if (load.dropped_silently && !load.silent)
    finding.details.push_back("the loader does not say so");
  for (std::string& text : dropped_blocks_text(load)) finding.details.push_back(std::move(text));
  const bool some_placed = load.unplaced.size() < load.dropped.size();
  if (some_placed && !load.unplaced.empty()) finding.details.push_back(unplaced_text(load));
  if (holds_update(load.dropped))
    finding.remedy =
        "What a LoRA adds is lost with them: model.merge_and_unload() of peft before saving adds "
        "it";
  else if (std::string text = dropped_blocks_remedy(report, load); !text.empty())
    finding.remedy = std::move(text);
  else if (load.random.empty())
    finding.remedy =
        "Nothing to do where the target is meant to lack them (a head, a decoder); else take "
        "another class";
  else if (some_placed && !load.unplaced.empty())
    finding.remedy =
        "Take a class that has these parts; where the target is meant to lack them (a head, a "
        "decoder), the repair is enough";
  add_finding(report, std::move(finding));
}

void find_mismatched(Report& report, const LoadReport& load) {
  if (load.mismatched.empty() || !load.remedy.empty() || !load.codes.packed.empty()) return;
  Finding finding = load_finding(
      load, "weights.missing", load.mismatched,
      counted(load.mismatched.size(), "tensor", "has", "have") + " another shape in the target");
  if (!load.raises.empty())
    finding.details.push_back("the load ends with an error: " + load.raises);
  constexpr std::size_t kShown = 4;
  for (std::size_t i = 0; i < std::min(load.mismatches.size(), kShown); ++i)
    finding.details.push_back(fmt::format("{}: {} in the checkpoint, {} in the target",
                                          load.mismatched[i], sizes_text(load.mismatches[i].found),
                                          sizes_text(load.mismatches[i].wanted)));
  finding.remedy = shapes_remedy(load);
  add_finding(report, std::move(finding));
}

/// What files cause, and files mend: one that the loader does not find.
void find_refusal(Report& report, const LoadReport& load) {
  if (load.raises.empty() || load.remedy.empty()) return;
  Finding finding{
      .cause = "load.refused", .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = load.way + " ends with an error: " + load.raises;
  finding.evidence = {{"reasons", Json::array({load.raises})}};
  finding.remedy = load.remedy;
  add_finding(report, std::move(finding));
}

}  // namespace

void find_packed(Report& report) {
  const PackedWeights& packed = report.packed;
  if (packed.names.empty()) return;
  Finding finding{.cause = "weights.quantized",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {"A"}};
  finding.summary = fmt::format("{} stored as {} packs them, and from_pretrained builds its layers",
                                counted(packed.names.size(), "tensor", "is", "are"), packed.by);
  finding.details.push_back("without " + packed.by + " it ends with an ImportError");
  finding.evidence = {{"count", packed.names.size()}, {"tensors", name_list(packed.names)}};
  add_finding(report, std::move(finding));
}

void find_load_risks(Report& report) {
  if (report.loads.empty()) return;
  const LoadReport& load = report.loads[0];
  find_refusal(report, load);
  find_random(report, load);
  find_counters(report, load);
  find_tables(report, load);
  find_dropped_tables(report, load);
  find_dropped(report, load);
  find_mismatched(report, load);
  find_codes(report, load);
  find_states(report, load);
  find_exchanged_by_load(report, load);
  find_changed_by_load(report, load);
  // Of a directory the names of its files come last.
  for (const LoadReport& each : report.loads) {
    find_transposed(report, each);
    find_load_ties(report, each);
  }
}

void find_absent_parts(Report& report, const Subject& subject) {
  for (const Finding& finding : report.findings)
    if (finding.cause == "file.incomplete") return;
  std::vector<std::string> parts;
  for (const Error& error : subject.checkpoint->unread)
    if (error.what == "a shard of the model is missing" || error.what.starts_with("the index says"))
      parts.push_back(error.what + ": " + error.file);
  if (parts.empty()) return;
  Finding finding{
      .cause = "file.incomplete", .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = parts.size() == 1 ? parts[0]
                                      : fmt::format(
                                            "{} parts of the checkpoint are absent, the "
                                            "first: {}",
                                            parts.size(), parts[0]);
  finding.evidence = {{"parts", name_list(parts)}};
  finding.remedy = "Download or copy the whole directory";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
