#include "samebits/explain/kinship_findings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/checkpoint/progress_words.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/explain/architectures.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/turned_findings.h"
#include "samebits/explain/weight_findings.h"
#include "samebits/family/buffer_names.h"

namespace samebits {
namespace {

using Labels = std::vector<std::string>;

/// "2026-11-25 05:27 UTC" of the newest file of a subject, by the civil-from-days algorithm; no
/// clock or locale is read.
std::string date_of(std::int64_t seconds) {
  const std::int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  const std::int64_t rest = seconds - days * 86400;
  const std::int64_t z = days + 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t day_of_era = z - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", year, month, day, rest / 3600,
                     rest % 3600 / 60);
}

/// What a program holds has no date.
bool is_in_memory(const Checkpoint& checkpoint) {
  return std::ranges::none_of(checkpoint.files,
                              [](const SourceFile& file) { return file.map != nullptr; });
}

std::int64_t newest(const Checkpoint& checkpoint) {
  std::int64_t latest = 0;
  for (const SourceFile& file : checkpoint.files) {
    if (file.map) latest = std::max(latest, file.map->modified());
  }
  return latest;
}

/// Batch norms that one side has folded into its layers: see folded_findings.cc.
bool is_folding(const Finding& finding) {
  return finding.cause == "weights.layout" && finding.evidence.contains("eps");
}

/// All of one side's weights are the other's, rounded to codes.
bool says_rounded_to_codes(const Finding& finding) {
  return finding.cause == "weights.quantized" && finding.evidence.contains("beyond_rounding") &&
         finding.evidence["beyond_rounding"] == 0 &&
         finding.evidence["computed"] == finding.evidence["count"];
}

bool says_rounded_to_grid(const Finding& finding) {
  return finding.cause == "weights.rounded" && finding.evidence.contains("grid");
}

bool is_explained(const Report& report, const Subject& a, const Subject& b) {
  return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
    const bool of_other_key =
        finding.cause == "weights.changed" && finding.evidence.contains("chosen");
    return (finding.cause == "weights.averaged" || finding.cause == "weights.reinitialized" ||
            of_other_key || is_folding(finding) || says_rounded_to_codes(finding) ||
            says_rounded_to_grid(finding)) &&
           finding.subjects == Labels{a.label, b.label};
  });
}

/// Two tensors that belong together, seen from one side.
struct SeenMatch {
  const TensorMatch* match;
  const std::string* name;  // on the side that is looked at
  const TensorView* own;
  const TensorView* other;
  bool changed() const { return match->kind == MatchKind::changed; }
  bool is_vector() const { return own->shape().size() == 1 && own->numel() > 1; }
  bool is_matrix() const { return own->shape().size() > 1 && own->numel() > 1; }
  bool unlike() const { return match->stats && std::abs(match->stats->cosine) < kUnlikeCosine; }
};

std::vector<SeenMatch> seen_from(const Subject& here, const Subject& there,
                                 const WeightComparison& comparison, bool here_is_a) {
  std::vector<SeenMatch> seen;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::uint32_t own = here_is_a ? match.a[0] : match.b[0];
    const std::uint32_t other = here_is_a ? match.b[0] : match.a[0];
    seen.push_back({&match, &weight_name(here, own), &weight_entry(here, own).view,
                    &weight_entry(there, other).view});
  }
  return seen;
}

std::string module_name(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

bool is_bias(const std::string& name) { return name.ends_with("bias") || name.ends_with("beta"); }

/// What a norm's scale is in a new model: 1, or 0 where the class multiplies by 1 + scale (Gemma,
/// Qwen3-Next).
bool is_initial_scale(std::optional<double> value) { return value == 1.0 || value == 0.0; }

const char* scales_text(bool are_zeros) {
  return are_zeros ? "all zeros, as of classes that scale by 1 + weight" : "all ones";
}

/// What one side's changed tensors hold where a new model has ones and zeros.
struct InitialValues {
  std::size_t norms = 0;     // scales of norms that are no constants on the other side
  std::size_t ones = 0;      // of these, all one here
  std::size_t nulls = 0;     // of these, all zero here
  std::size_t biases = 0;    // of norms, or of all modules where no norm changed; likewise
  std::size_t zeros = 0;     // of these, all zero here
  std::size_t matrices = 0;  // that changed
  std::size_t unlike = 0;    // of these, with nothing in common
  std::size_t others = 0;    // vectors that changed and are none of the above
  std::size_t kept = 0;      // tensors of both sides that are bit-identical and no constants
  bool fresh() const {
    const bool alone = matrices == 0;  // nothing else has changed, so that one norm says it
    const bool marks = norms > 0 ? (alone || norms > 1) && (ones == norms || nulls == norms)
                                 : kept > 0 && biases > 0;
    return marks && zeros == biases && (alone ? others == 0 : unlike == matrices);
  }
};

InitialValues initial_values(const std::vector<SeenMatch>& seen) {
  InitialValues found;
  std::set<std::string> norms;
  for (const SeenMatch& each : seen) {
    const bool scale = each.is_vector() && !is_bias(*each.name) &&
                       (each.name->ends_with("weight") || each.name->ends_with("gamma"));
    if (scale) norms.insert(module_name(*each.name));
    if (each.match->kind == MatchKind::same || each.match->kind == MatchKind::renamed)
      found.kept += is_constant(*each.own) ? 0 : 1;
    if (!each.changed() || is_constant(*each.other)) continue;
    found.matrices += each.is_matrix() ? 1 : 0;
    found.unlike += each.is_matrix() && each.unlike() ? 1 : 0;
    // What a norm has counted begins at 0, or at 1, like its weights.
    const auto value = constant_value(*each.own);
    const bool initial_buffer =
        names_a_buffer(*each.name, each.own->shape().size()) && (value == 0.0 || value == 1.0);
    if (!scale && !each.is_matrix() && !is_bias(*each.name) && !initial_buffer) ++found.others;
    if (!scale) continue;
    ++found.norms;
    found.ones += constant_value(*each.own) == 1.0 ? 1 : 0;
    found.nulls += constant_value(*each.own) == 0.0 ? 1 : 0;
  }
  for (const SeenMatch& each : seen) {
    if (!each.changed() || !each.is_vector() || !is_bias(*each.name) || is_constant(*each.other))
      continue;
    if (found.norms > 0 && !norms.contains(module_name(*each.name))) {
      ++found.others;
      continue;
    }
    ++found.biases;
    found.zeros += constant_value(*each.own) == 0.0 ? 1 : 0;
  }
  return found;
}

/// True where what a load by name takes is bit-identical, and all that it leaves is unlike.
bool only_kept_names_agree(const Subject& a, const Subject& b, const WeightComparison& comparison) {
  std::size_t kept = 0;
  std::size_t left = 0;
  for (const SeenMatch& each : seen_from(a, b, comparison, true)) {
    if (is_constant(*each.own) && is_constant(*each.other)) continue;
    const bool one_name = *each.name == weight_name(b, each.match->b[0]);
    if (each.match->kind == MatchKind::same && one_name) {
      ++kept;
    } else if (each.changed() && !one_name && (!each.is_matrix() || each.unlike())) {
      left += each.is_matrix() ? 1 : 0;
    } else {
      return false;
    }
  }
  return kept > 0 && left > 1;
}

/// "vit.encoder. (36), vit.embeddings. (4)": by the first two pieces of their names.
std::string parts_text(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> parts;
  for (const std::string& name : names) {
    std::size_t dot = name.find('.');
    if (dot != std::string::npos && name.find('.', dot + 1) != std::string::npos)
      dot = name.find('.', dot + 1);
    ++parts[dot == std::string::npos ? name : name.substr(0, dot + 1)];
  }
  std::vector<std::string> texts;
  for (const auto& [part, count] : parts) texts.push_back(fmt::format("{} ({})", part, count));
  return some_of(texts);
}

/// `all`: no weight was loaded. A directory is loaded by from_pretrained, which returns the model.
void add_load_advice(const Subject& a, const Subject& b, bool all, Finding* finding) {
  finding->details.emplace_back(
      all ? "a load that fails silently leaves a model so, and so does one whose result was not "
            "used"
          : "a load that fails silently leaves a model so, and so does a part that is new on "
            "purpose");
  const bool of_directories = a.checkpoint->kind == CheckpointKind::hf_directory &&
                              b.checkpoint->kind == CheckpointKind::hf_directory;
  finding->remedy =
      "Load again and read what the loader returns or logs, the missing and unexpected keys";
  if (!of_directories)
    finding->remedy +=
        "; from a class method such as load_from_checkpoint take the model that it returns";
}

struct FreshSide {
  const Subject* subject;  // null: which of the two is not shown
  std::size_t norms = 0;   // whose ones show it, or zeros
  std::size_t biases = 0;  // whose zeros do
  bool are_zeros = false;  // those of the norms
};

Finding reinitialized_finding(const FreshSide& fresh, const WeightPair& pair,
                              const std::vector<std::string>& left) {
  Finding finding{.cause = "weights.reinitialized",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.evidence = {{"count", left.size()}, {"tensors", name_list(left)}};
  finding.evidence["side"] = fresh.subject ? Json(fresh.subject->label) : Json(nullptr);
  const std::uint64_t all = pair.comparison.matched;
  if (fresh.subject) {
    const std::string& own = fresh.subject->label;
    const std::string& other = own == pair.a ? pair.b : pair.a;
    finding.summary = fmt::format("{} looks freshly initialized in {} of its {}", own, left.size(),
                                  counted(all, "matched weight"));
    finding.details.push_back(
        fresh.norms > 0
            ? fmt::format("every norm among them is {} in {}{}; in {} {} not",
                          scales_text(fresh.are_zeros), own,
                          fresh.biases > 0 ? ", and its bias all zeros" : "", other,
                          fresh.biases > 0 ? "they are" : "it is")
            : fmt::format("every bias among them is all zeros in {}; in {} they are not", own,
                          other));
  } else {
    finding.summary =
        fmt::format("what kept its name is bit-identical in {} and {}, and {} unlike", pair.a,
                    pair.b, counted(left.size(), "renamed weight", "is", "are"));
  }
  finding.details.push_back(parts_text(left));
  return finding;
}

/// Fields by which both files say how far their trainings were.
struct StepsNamed {
  Labels texts;
  std::string same;    // "epoch 8", where both say it
  bool apart = false;  // they name other ones
};

void add_steps(const std::string& what, const Json& left, const Json& right, const Subject& a,
               const Subject& b, Json* evidence, StepsNamed* named) {
  if (left.is_null() || right.is_null() || left.is_structured() || right.is_structured()) return;
  if (left == right) {
    if (named->same.empty()) named->same = what + " " + json_text(left);
    named->texts.push_back(fmt::format("{} {} in both", what, json_text(left)));
    return;
  }
  named->apart = true;
  named->texts.push_back(fmt::format("{} {} in {}, {} in {}", what, json_text(left), a.label,
                                     json_text(right), b.label));
  (*evidence)[what] = Json::array({left, right});
}

StepsNamed steps_named(const Subject& a, const Subject& b, Json* evidence) {
  const TrainingState& left = a.checkpoint->training;
  const TrainingState& right = b.checkpoint->training;
  StepsNamed named;
  const auto add = [&](std::string_view word) {
    const std::string field(word);
    if (left.values.contains(field) && right.values.contains(field))
      add_steps(field, left.values[field], right.values[field], a, b, evidence, &named);
  };
  std::ranges::for_each(kEpochWords, add);
  std::ranges::for_each(kStepWords, add);
  if (left.optimizers.size() != 1 || right.optimizers.size() != 1) return named;
  const auto& x = left.optimizers[0].step;
  const auto& y = right.optimizers[0].step;
  if (!x || !y) return named;
  StepsNamed of_optimizers;
  add_steps("optimizer_step", json_number(*x), json_number(*y), a, b, evidence, &of_optimizers);
  named.texts.push_back(*x == *y ? fmt::format("both optimizers have taken {} steps", *x)
                                 : fmt::format("the optimizer has taken {} steps in {}, {} in {}",
                                               *x, a.label, *y, b.label));
  return named;
}

/// True where most of what could tell has changed in a way that nothing explains: constants that
/// are equal say nothing of kinship, nor do running statistics.
bool most_changed(const Subject& a, const Subject& b, const WeightComparison& comparison,
                  const std::set<std::string>& explained) {
  std::size_t telling = 0;
  std::size_t changed = 0;
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.empty() || is_running_statistic(weight_name(a, match.a[0]))) continue;
    const bool is_change =
        match.kind == MatchKind::changed && !explained.contains(weight_name(a, match.a[0]));
    const bool one_to_one = match.a.size() == 1 && match.b.size() == 1;
    if (!is_change && one_to_one && is_constant(weight_entry(a, match.a[0]).view) &&
        is_constant(weight_entry(b, match.b[0]).view))
      continue;
    telling += match.a.size();
    const bool has_numbers = match.stats && match.stats->pattern != "nan";
    changed += is_change && has_numbers ? match.a.size() : 0;
  }
  return telling >= 4 && changed * 10 >= telling * 6;
}

/// The value of all norms of both sides, 1 or 0: neither was trained. Nothing where there is none.
std::optional<double> initial_scale_of_both(const Subject& a, const Subject& b,
                                            const WeightComparison& comparison) {
  std::size_t norms = 0;
  std::optional<double> scale;
  for (const SeenMatch& each : seen_from(a, b, comparison, true)) {
    if (!each.is_vector() || is_bias(*each.name) || !each.name->ends_with("weight")) continue;
    const auto own = constant_value(*each.own);
    if (!is_initial_scale(own) || constant_value(*each.other) != own) return std::nullopt;
    if (scale && scale != own) return std::nullopt;
    scale = own;
    ++norms;
  }
  return norms > 1 ? scale : std::nullopt;
}

std::string kinship_summary(const ChangeExtent& extent, const StepsNamed& named,
                            std::optional<double> initial_scale) {
  const std::string amount = fmt::format("median relative change {:.2g}", extent.median_relative);
  if (extent.median_cosine < kUnlikeCosine)
    return initial_scale
               ? fmt::format(
                     "the weights are unlike, and the norms of both are {}: as in two models "
                     "that were initialized by other draws and not trained",
                     scales_text(*initial_scale == 0.0))
               : fmt::format(
                     "the weights are unlike ({}): nothing was found that shows that one comes "
                     "from the "
                     "other",
                     amount);
  const bool close = extent.median_cosine > 0.9 && extent.median_relative < 0.5;
  const std::string most = fmt::format("most weights differ ({})", amount);
  if (named.apart && close)
    return most + ", and the files name other steps: as two steps of one training differ";
  if (!named.same.empty() && !named.apart)
    return fmt::format("{}, and both files name {}: two different states of it", most, named.same);
  return most + ", and how they are related was not found";
}

}  // namespace

std::set<std::string> find_reinitialized(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  const InitialValues of_a = initial_values(seen_from(a, b, pair.comparison, true));
  const InitialValues of_b = initial_values(seen_from(b, a, pair.comparison, false));
  FreshSide fresh{};
  if (of_a.fresh() != of_b.fresh())
    fresh = of_a.fresh() ? FreshSide{&a, of_a.norms, of_a.biases, of_a.nulls > 0}
                         : FreshSide{&b, of_b.norms, of_b.biases, of_b.nulls > 0};
  if (!fresh.subject && !only_kept_names_agree(a, b, pair.comparison)) return {};
  // Norms are ones as well where they were folded into matrices, to turn these.
  if (fresh.subject && !turned_matrices(report, pair).empty()) return {};
  std::vector<std::string> left;  // as the fresh side calls them
  std::set<std::string> explained;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind != MatchKind::changed || match.a.empty() || match.b.empty()) continue;
    left.push_back(fresh.subject == &b ? weight_name(b, match.b[0]) : weight_name(a, match.a[0]));
    explained.insert(weight_name(a, match.a[0]));
  }
  Finding finding = reinitialized_finding(fresh, pair, left);
  if (of_a.kept > 0)
    finding.details.push_back(fmt::format("{} bit-identical on both sides, not counting constants",
                                          counted(of_a.kept, "other weight", "is", "are")));
  add_load_advice(a, b, left.size() == pair.comparison.matched, &finding);
  add_finding(report, std::move(finding));
  return explained;
}

/// When each was written, and what to do about it.
void add_dates(const Subject& a, const Subject& b, Finding* finding) {
  Json dates = Json::array();
  std::vector<std::string> texts;
  for (const Subject* subject : {&a, &b}) {
    const bool in_memory = is_in_memory(*subject->checkpoint);
    const std::string date = date_of(newest(*subject->checkpoint));
    dates.push_back(in_memory ? Json() : Json(date));
    if (!in_memory) texts.push_back(subject->label + " was written " + date);
  }
  finding->evidence["modified"] = std::move(dates);
  if (!texts.empty()) finding->details.push_back(fmt::format("{}", fmt::join(texts, ", ")));
  finding->remedy =
      texts.empty() ? "Check that both are of the training that is meant"
                    : "Check that the path that is loaded is the path that was saved, extension "
                      "included";
  finding->settle = texts.size() == 2 ? "Compare with a file saved now from the model in memory"
                                      : "Compare each with the file that it was loaded from";
}

void find_mixup(Report& report, const WeightPair& pair, const std::set<std::string>& explained) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  if (is_explained(report, a, b) || says_turned(report, a.label, b.label) ||
      !common_multiple(pair.comparison).empty())
    return;
  const ChangeExtent extent = change_extent(pair.comparison);
  // Weights of the other sign are no other training's.
  if (!most_changed(a, b, pair.comparison, explained) || extent.median_cosine < -0.9) return;
  if (!unlike_architectures(report, pair).empty()) return;
  Finding finding{.cause = "file.mixup",
                  .role = Role::contributes,
                  .proof = Proof::suspected,
                  .subjects = {a.label, b.label}};
  finding.evidence = {{"median_cosine", json_number(extent.median_cosine)},
                      {"median_relative", json_number(extent.median_relative)}};
  const StepsNamed named = steps_named(a, b, &finding.evidence);
  const auto initial_scale = extent.median_cosine < kUnlikeCosine
                                 ? initial_scale_of_both(a, b, pair.comparison)
                                 : std::nullopt;
  if (initial_scale) finding.evidence["both_initial"] = true;
  finding.summary = kinship_summary(extent, named, initial_scale);
  add_dates(a, b, &finding);
  finding.details.insert(finding.details.end(), named.texts.begin(), named.texts.end());
  add_finding(report, std::move(finding));
}

}  // namespace samebits
