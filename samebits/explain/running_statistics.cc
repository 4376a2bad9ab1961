#include "samebits/explain/running_statistics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

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
};

bool is_one_to_one_change(const TensorMatch& match) {
  return match.kind == MatchKind::changed && match.a.size() == 1 && match.b.size() == 1;
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
      const std::string& name = weight_name(a, match.a[0]);
      change.names.push_back(name);
      change.norms.insert(norm_of(name));
      if (match.stats && !name.ends_with(kBatches) && std::isfinite(match.stats->max_abs))
        change.largest = std::max(change.largest, match.stats->max_abs);
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

Finding statistics_finding(const StatisticsChange& change, const WeightPair& pair) {
  Finding finding{.cause = "state.buffers",
                  .role = change.others ? Role::contributes : Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  const std::string norms =
      counted(change.norms.size(), change.uncounted > 0 ? "norm" : "batch norm");
  finding.summary = change.others
                        ? fmt::format("running statistics of {} differ as well", norms)
                        : fmt::format("only running statistics differ, those of {}", norms);
  if (const std::string text = batches_text(change, pair); !text.empty())
    finding.summary += ": " + text;
  if (change.largest > 0)
    finding.details.push_back(
        fmt::format("the largest difference of a mean or a variance is {:.3g}", change.largest));
  if (change.uncounted > 0)
    finding.details.push_back(
        fmt::format("{} no batch on either side: an InstanceNorm never does (torch 2.13.0)",
                    counted(change.uncounted, "norm", "counts", "count")));
  if (!change.others)
    finding.details.emplace_back("every trained weight is the same on both sides");
  finding.evidence = {{"count", change.names.size()}, {"tensors", name_list(change.names)}};
  const bool one_distance =
      !change.apart.empty() &&
      std::ranges::all_of(change.apart, [&](double apart) { return apart == change.apart[0]; });
  finding.evidence["steps"] =
      one_distance ? Json(static_cast<std::int64_t>(change.apart[0])) : Json(nullptr);
  finding.remedy =
      "In training mode every forward pass moves them: call model.eval() before those that are no "
      "training, and load the state_dict of the side that was meant";
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
