#include "samebits/explain/rules.h"

#include <array>
#include <cstdint>
#include <set>
#include <span>

#include "samebits/base/error.h"
#include "samebits/explain/adapted_findings.h"
#include "samebits/explain/averaged_findings.h"
#include "samebits/explain/beside_findings.h"
#include "samebits/explain/coarse_findings.h"
#include "samebits/explain/config_findings.h"
#include "samebits/explain/configured_findings.h"
#include "samebits/explain/context_findings.h"
#include "samebits/explain/damaged_findings.h"
#include "samebits/explain/factored_findings.h"
#include "samebits/explain/file_findings.h"
#include "samebits/explain/file_risks.h"
#include "samebits/explain/folded_findings.h"
#include "samebits/explain/graph_findings.h"
#include "samebits/explain/judged.h"
#include "samebits/explain/kinship_findings.h"
#include "samebits/explain/layout_findings.h"
#include "samebits/explain/load_changes.h"
#include "samebits/explain/load_risks.h"
#include "samebits/explain/loaded_dtype.h"
#include "samebits/explain/loading_findings.h"
#include "samebits/explain/misspelt_findings.h"
#include "samebits/explain/mixed_findings.h"
#include "samebits/explain/module_findings.h"
#include "samebits/explain/other_weights.h"
#include "samebits/explain/own_code.h"
#include "samebits/explain/quantized_findings.h"
#include "samebits/explain/rotary_findings.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/script_findings.h"
#include "samebits/explain/settings_findings.h"
#include "samebits/explain/summed_biases.h"
#include "samebits/explain/tokenizer_findings.h"
#include "samebits/explain/trainer_resume.h"
#include "samebits/explain/training_findings.h"
#include "samebits/explain/tree_findings.h"
#include "samebits/explain/uncompared_files.h"
#include "samebits/explain/untied_findings.h"
#include "samebits/explain/weight_findings.h"

namespace samebits {
namespace {

enum Commands : std::uint8_t {
  kInspect = 1,
  kDiff = 2,
  kExplain = 4,
  kCheck = 8,
  kResume = 16,
  kVerify = 32,
  kCompared = kDiff | kExplain,
  kAll = kInspect | kCompared | kCheck | kResume,
};

std::uint8_t command_of(const Report& report) {
  if (report.command == "inspect") return kInspect;
  if (report.command == "diff") return kDiff;
  if (report.command == "explain") return kExplain;
  if (report.command == "resume") return kResume;
  if (report.command == "verify") return kVerify;
  SAMEBITS_CHECK(report.command == "check");
  return kCheck;
}

/// Both subjects are open; the weights are there where both have some.
struct PairFacts {
  const Subject& a;
  const Subject& b;
  const WeightPair* weights;
  const RuleOptions& options;
};

/// What differs between weights is said once: by what they are, then tensor by tensor.
void find_in_weights(Report& report, const PairFacts& pair) {
  if (pair.weights == nullptr) return;
  // What a damaged file should hold is not known: nothing is said of its history.
  std::set<std::string> explained = find_damaged(report, *pair.weights, pair.options.threads);
  const bool is_damaged = !explained.empty();
  if (!is_damaged) explained = find_averaged(report, *pair.weights, pair.options.threads);
  if (explained.empty()) explained = find_mixed(report, *pair.weights);
  if (explained.empty()) explained = find_reinitialized(report, *pair.weights);
  explained.merge(find_quantized(report, *pair.weights, pair.options.threads));
  explained.merge(find_layouts(report, *pair.weights, explained));
  explained.merge(find_factored(report, *pair.weights));
  explained.merge(find_folded(report, *pair.weights));
  explained.merge(find_summed_biases(report, *pair.weights));
  explained.merge(find_adapted(report, *pair.weights));
  if (!is_damaged) explained.merge(find_coarse(report, *pair.weights, explained));
  explained.merge(find_running_statistics(report, *pair.weights, explained));
  explained.merge(find_own_heads(report, *pair.weights));
  find_weight_causes(report, *pair.weights, explained);
  find_misspelt(report, *pair.weights);
  find_companion_changes(report, pair.a, pair.b, pair.options.threads);
  if (!is_damaged) find_mixup(report, *pair.weights, explained);
  if (says_equal(pair.weights->comparison.verdict)) find_unaligned_of_pair(report, pair.a, pair.b);
}

struct PairRule {
  std::uint8_t commands;
  void (*apply)(Report&, const PairFacts&);
};

/// A rule that looks at nothing but the two subjects.
template <void (*find)(Report&, const Subject&, const Subject&)>
void of_subjects(Report& report, const PairFacts& pair) {
  find(report, pair.a, pair.b);
}

constexpr auto kPairRules = std::to_array<PairRule>({
    {kCompared, find_in_weights},
    {kCompared,
     [](Report& report, const PairFacts& pair) {
       find_other_weights(report, pair.a, pair.b, pair.options.threads);
     }},
    {kCompared | kVerify, of_subjects<find_state_values>},
    {kCompared | kVerify, of_subjects<find_adapter_config_changes>},
    {kCompared | kVerify, of_subjects<find_config_changes>},
    {kCompared, of_subjects<find_module_changes>},
    {kCompared, of_subjects<find_tree_changes>},
    {kCompared, of_subjects<find_script_changes>},
    {kCompared, of_subjects<find_graph_changes>},
    {kCompared, of_subjects<find_module_folder_changes>},
    {kCompared, of_subjects<find_unlike_config>},
    {kCompared, of_subjects<find_loose_modules>},
    {kCompared | kVerify,
     [](Report& report, const PairFacts& pair) {
       find_preprocessing_changes(report, pair.a, pair.b, pair.options.preprocessing_role);
     }},
    {kCompared,
     [](Report& report, const PairFacts& pair) {
       find_tokenizer_changes(report, pair.a, pair.b, pair.options.preprocessing_role);
     }},
    {kCompared, of_subjects<find_settings_changes>},
    {kCompared, of_subjects<find_own_code_changes>},
    {kCompared | kVerify, of_subjects<find_mode_changes>},
    {kCompared,
     [](Report& report, const PairFacts& pair) {
       find_buffer_changes(report, pair.a, pair.b, pair.options.threads);
     }},
    {kCompared, of_subjects<find_version_changes>},
    {kCompared, of_subjects<find_unread_rotary_of_pair>},
    {kCompared, of_subjects<find_loaded_dtype_of_pair>},
});

struct SubjectRule {
  std::uint8_t commands;
  void (*apply)(Report&, const Subject&);
};

constexpr auto kSubjectRules = std::to_array<SubjectRule>({
    {kAll | kVerify, find_calls},
    {kInspect | kCompared, find_unusual_imports},
    {kInspect | kCompared, find_own_code},
    {kInspect, find_load_refused},
    {kInspect, find_foreign_devices},
    {kInspect, find_unaligned},
    {kInspect | kCheck, find_loaded_dtype},
    {kInspect | kCompared, find_invalid},
    {kInspect, find_valueless},
    {kAll, find_file_risks},
    {kInspect | kCompared, find_training_mode},
    {kInspect | kExplain | kCheck, find_label_conflict},
    {kInspect, find_fresh_optimizer},
    {kInspect, find_unused_state},
    {kExplain, find_resume_leftovers},
    {kExplain, find_implied_eps},
    {kCheck, find_absent_parts},
    {kCheck, find_unread_rotary},
    {kCheck, find_rescaled},
    {kInspect | kCompared | kCheck, find_tie_conflict},
});

struct ReportRule {
  std::uint8_t commands;
  void (*apply)(Report&);
};

constexpr auto kLoadRules = std::to_array<ReportRule>({
    {kCheck, find_packed},
    {kCheck, find_damaged_load},
    {kCheck, find_trainer_resume},
    {kCheck, find_renamed_on_disk},
    {kCheck, find_load_risks},
});

constexpr auto kReportRules = std::to_array<ReportRule>({
    {kCompared | kCheck | kResume, note_load_refused},
    {kExplain, find_shared_noise},
    {kExplain, find_by_runs},
});

void apply(std::span<const ReportRule> rules, Report& report, std::uint8_t command) {
  for (const ReportRule& rule : rules) {
    if ((rule.commands & command) != 0) rule.apply(report);
  }
}

void apply_pair_rules(Report& report, std::uint8_t command, const Subject& b,
                      const RuleOptions& options) {
  const Subject& a = report.subjects[0];
  if (!a.checkpoint || !b.checkpoint) return;
  const PairFacts pair{a, b, weights_of(report, a, b), options};
  for (const PairRule& rule : kPairRules) {
    if ((rule.commands & command) != 0) rule.apply(report, pair);
  }
}

}  // namespace

void apply_rules(Report& report, const RuleOptions& options) {
  const std::uint8_t command = command_of(report);
  for (std::size_t i = 1; i < report.subjects.size(); ++i)
    apply_pair_rules(report, command, report.subjects[i], options);
  apply(kLoadRules, report, command);
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint) continue;
    for (const SubjectRule& rule : kSubjectRules) {
      if ((rule.commands & command) != 0) rule.apply(report, subject);
    }
  }
  apply(kReportRules, report, command);
}

}  // namespace samebits
