#include "samebits/explain/running_statistics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/constant_tensor.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr std::string_view kBatches = "num_batches_tracked";

std::string norm_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

/// The one number that a counter holds.
std::optional<double> counted_batches(const Subject& subject, std::uint32_t index) {
  const TensorView& view = weight_entry(subject, index).view;
  if (view.numel() != 1 || !has_element_values(view.dtype())) return std::nullopt;
  std::vector<std::uint8_t> buffer;
  return element_as_double(view.dtype(), view.row_major_range(0, 1, buffer).data());
}

/// What a pair's running statistics say.
struct StatisticsChange {
  std::vector<std::string> names;  // that differ
  std::set<std::string> norms;     // whose statistics differ
  std::vector<double> apart;       // B's count of batches less A's, of each of these norms
  double batches_a = 0;            // counted by the first of them
  std::size_t uncounted = 0;       // norms whose counts are 0 on both sides
  double largest = 0;              // difference of a mean or a variance
  bool others = false;             // something that is no running statistic differs
  bool averaged = false;           // a side averages its buffers, counters too
  bool counters_alone = true;      // means and variances are equal
  bool initial_a = true;           // all means of A that differ are 0, all variances 1
  bool initial_b = true;
};

bool is_one_to_one_change(const TensorMatch& match) {
  return match.kind == MatchKind::changed && match.a.size() == 1 && match.b.size() == 1;
}

/// A mean of 0, a variance of 1: what a new norm holds.
bool is_initial(const Subject& subject, std::uint32_t index) {
  const double fresh = weight_name(subject, index).ends_with("running_var") ? 1 : 0;
  return constant_value(weight_entry(subject, index).view) == fresh;
}

void add_statistic(const Subject& a, const Subject& b, const TensorMatch& match,
                   StatisticsChange* change) {
  const std::string& name = weight_name(a, match.a[0]);
  change->names.push_back(name);
  change->norms.insert(norm_of(name));
  if (name.ends_with(kBatches)) return;
  change->counters_alone = false;
  change->initial_a = change->initial_a && is_initial(a, match.a[0]);
  change->initial_b = change->initial_b && is_initial(b, match.b[0]);
  if (match.stats && std::isfinite(match.stats->max_abs))
    change->largest = std::max(change->largest, match.stats->max_abs);
}

StatisticsChange statistics_change(const Subject& a, const Subject& b,
                                   const WeightComparison& comparison) {
  StatisticsChange change;
  change.averaged = a.checkpoint->training.ema || b.checkpoint->training.ema;
  change.others = !comparison.only_a.empty() || !comparison.only_b.empty() ||
                  !comparison.exchanges.empty() || !comparison.unreadable.empty();
  for (const TensorMatch& match : comparison.matches) {
    if (is_one_to_one_change(match) && is_running_statistic(weight_name(a, match.a[0])) &&
        a.checkpoint->weights().weights.size() > match.a[0]) {
      add_statistic(a, b, match, &change);
    } else if (match.kind == MatchKind::changed || match.kind == MatchKind::exchanged ||
               match.kind == MatchKind::rounded || match.in_place) {
      change.others = true;
    }
  }
  for (const TensorMatch& match : comparison.matches) {
    if (match.a.size() != 1 || match.b.size() != 1) continue;
    const std::string& name = weight_name(a, match.a[0]);
    if (!name.ends_with(kBatches) || !change.norms.contains(norm_of(name))) continue;
    const auto left = counted_batches(a, match.a[0]);
    const auto right = counted_batches(b, match.b[0]);
    if (!left || !right) continue;
    if (*left == 0 && *right == 0) {
      ++change.uncounted;
      continue;
    }
    if (change.apart.empty()) change.batches_a = *left;
    change.apart.push_back(*right - *left);
  }
  return change;
}

/// "B has seen 1 batch more in training mode"; "" where no counter says.
std::string batches_text(const StatisticsChange& change, const WeightPair& pair) {
  if (change.apart.empty() || change.averaged) return "";
  const auto [least, most] = std::minmax_element(change.apart.begin(), change.apart.end());
  if (*least == 0 && *most == 0)
    return fmt::format("both have seen {:.0f} batch{} in training mode, and not the same",
                       change.batches_a, change.batches_a == 1 ? "" : "es");
  if (*least < 0 && *most > 0) return "the counts of batches differ in both directions";
  const double few = std::min(std::abs(*least), std::abs(*most));
  const double many = std::max(std::abs(*least), std::abs(*most));
  return fmt::format("{} has seen {}{:.0f} batch{} more in training mode",
                     *most > 0 ? pair.b : pair.a, few == many ? "" : fmt::format("{:.0f} to ", few),
                     many, many == 1 ? "" : "es");
}

/// The label of the side whose statistics are those of a new model; "" where none or both are.
std::string fresh_side(const StatisticsChange& change, const WeightPair& pair) {
  if (change.counters_alone || change.initial_a == change.initial_b) return "";
  return change.initial_a ? pair.a : pair.b;
}

std::string statistics_summary(const StatisticsChange& change, const WeightPair& pair) {
  const std::string norms =
      counted(change.norms.size(), change.uncounted > 0 ? "norm" : "batch norm");
  const std::string what =
      change.counters_alone ? "counters of batches (num_batches_tracked)" : "running statistics";
  std::string text = change.others ? fmt::format("{} of {} differ as well", what, norms)
                                   : fmt::format("only {} differ, those of {}", what, norms);
  if (const std::string fresh = fresh_side(change, pair); !fresh.empty())
    return text + fmt::format(": {}'s are those of a new model (means 0, variances 1)", fresh);
  const std::string batches = batches_text(change, pair);
  if (batches.empty()) return text;
  return text + (change.counters_alone ? "; by them, " : ": ") + batches;
}

std::vector<std::string> statistics_details(const StatisticsChange& change,
                                            const WeightPair& pair) {
  std::vector<std::string> details;
  if (change.largest > 0)
    details.push_back(
        fmt::format("the largest difference of a mean or a variance is {:.3g}", change.largest));
  if (change.counters_alone)
    details.emplace_back(
        "means and variances are equal, and outputs do not depend on the counters; in training "
        "mode a norm whose momentum is None weighs batches by them");
  if (const std::string fresh = fresh_side(change, pair); !fresh.empty())
    details.push_back(
        fmt::format("{} never saw a batch in training mode, or its buffers were not "
                    "saved, or not loaded",
                    fresh));
  if (change.uncounted > 0)
    details.push_back(
        fmt::format("{} no batch on either side: an InstanceNorm never does (torch 2.13.0)",
                    counted(change.uncounted, "norm", "counts", "count")));
  if (!change.others) details.emplace_back("every trained weight is the same on both sides");
  return details;
}

std::string statistics_remedy(const StatisticsChange& change, const WeightPair& pair) {
  if (change.counters_alone)
    return "Nothing to do for outputs; to go on with a training, load the state_dict of the side "
           "that was meant";
  if (const std::string fresh = fresh_side(change, pair); !fresh.empty())
    return fmt::format(
        "Save and load the whole state_dict(), which holds buffers as named_parameters() does not; "
        "take the statistics of {}",
        fresh == pair.a ? pair.b : pair.a);
  return "In training mode every forward pass moves them: call model.eval() before those that are "
         "no training, and load the state_dict of the side that was meant";
}

Finding statistics_finding(const StatisticsChange& change, const WeightPair& pair) {
  Finding finding{.cause = "state.buffers",
                  .role = change.others ? Role::contributes : Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = statistics_summary(change, pair);
  finding.details = statistics_details(change, pair);
  finding.evidence = {{"count", change.names.size()}, {"tensors", name_list(change.names)}};
  const bool one_distance =
      !change.apart.empty() &&
      std::ranges::all_of(change.apart, [&](double apart) { return apart == change.apart[0]; });
  finding.evidence["steps"] =
      one_distance ? Json(static_cast<std::int64_t>(change.apart[0])) : Json(nullptr);
  if (const std::string fresh = fresh_side(change, pair); !fresh.empty())
    finding.evidence["initial"] = fresh;
  finding.remedy = statistics_remedy(change, pair);
  return finding;
}

}  // namespace

bool is_running_statistic(const std::string& name) {
  const std::string last = name.substr(name.rfind('.') + 1);
  return last == "running_mean" || last == "running_var" || last == kBatches;
}

bool is_lone_counter(const std::string& name, const std::function<bool(const std::string&)>& has) {
  if (name == "n_averaged") return true;
  const std::string norm = norm_of(name);
  return !norm.empty() && name.substr(norm.size() + 1) == kBatches && has(norm + ".running_mean");
}

std::set<std::string> find_running_statistics(Report& report, const WeightPair& pair,
                                              const std::set<std::string>& explained) {
  const StatisticsChange change =
      statistics_change(subject_of(report, pair.a), subject_of(report, pair.b), pair.comparison);
  if (change.names.empty() || explained.contains(change.names[0])) return {};
  add_finding(report, statistics_finding(change, pair));
  return {change.names.begin(), change.names.end()};
}

}  // namespace samebits
