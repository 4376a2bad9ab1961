#include "samebits/explain/scope.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "samebits/compare/settled_verdict.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

bool takes_any(const NameFilter& filter, const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [&](const std::string& name) { return filter.takes(name); });
}

/// Keeps one comparison's part that the filter is about.
class Restriction {
 public:
  Restriction(Report& report, WeightPair& pair)
      : filter_(*report.scope.filter),
        a_(subject_of(report, pair.a)),
        b_(subject_of(report, pair.b)),
        found_(pair.comparison) {}

  void run() {
    std::erase_if(found_.matches, [&](const TensorMatch& match) { return !takes(match); });
    for (std::vector<std::string>* names : {&found_.only_a, &found_.only_b, &found_.unreadable})
      *names = filter_.taken(*names);
    std::erase_if(found_.exchanges, [&](const Exchange& each) {
      return !takes_any(filter_, each.names_a) && !takes_any(filter_, each.names_b);
    });
    std::erase_if(found_.ties, [&](const TieDifference& each) {
      return !takes_any(filter_, each.names_a) && !takes_any(filter_, each.names_b);
    });
    std::erase_if(found_.computed,
                  [&](const ComputedAlone& each) { return !filter_.takes(each.name); });
    count();
    if (found_.matched == 0) found_.rules.clear();
    settle_verdict(&found_);
  }

  std::uint64_t taken_of_a() const { return found_.matched + found_.only_a.size(); }
  std::uint64_t taken_of_b() const { return of_b_ + found_.only_b.size(); }

 private:
  bool takes(const TensorMatch& match) const {
    const auto of = [&](const Subject& subject) {
      return [&](std::uint32_t index) { return filter_.takes(weight_name(subject, index)); };
    };
    return std::ranges::any_of(match.a, of(a_)) || std::ranges::any_of(match.b, of(b_));
  }

  void count() {
    found_.matched = found_.renamed = found_.changed = 0;
    for (const TensorMatch& match : found_.matches) {
      found_.matched += match.a.size();
      of_b_ += match.b.size();
      const bool one_to_one = match.a.size() == 1 && match.b.size() == 1;
      if (!one_to_one || weight_name(a_, match.a[0]) != weight_name(b_, match.b[0]))
        found_.renamed += match.a.size();
      const bool differs = match.kind == MatchKind::changed || match.kind == MatchKind::exchanged;
      if (differs || match.in_place) found_.changed += match.a.size();
    }
  }

  const NameFilter& filter_;
  const Subject& a_;
  const Subject& b_;
  WeightComparison& found_;
  std::uint64_t of_b_ = 0;
};

std::uint64_t weights_in(const Report& report, const std::string& label) {
  return subject_of(report, label).checkpoint->weights().weights.size();
}

void note_left_out(Report& report, const std::string& label, std::uint64_t taken) {
  const std::uint64_t total = weights_in(report, label);
  report.left_out.push_back({label, taken, total});
  if (taken == total) return;
  add_gap(report,
          fmt::format("{} of {} of {}, which --filter {} leaves out", total - taken,
                      counted(total, "tensor"), label, report.scope.filter->text()),
          Gap::aside);
}

bool has_pair(const TensorMatch& match) {
  return match.stats && match.a.size() == 1 && match.b.size() == 1;
}

/// Bits that a reader would call other numbers.
bool is_different(const TensorMatch& match) {
  return match.kind == MatchKind::changed || match.kind == MatchKind::exchanged ||
         match.kind == MatchKind::rounded || match.in_place;
}

bool is_within(const TensorMatch& match) {
  return match.kind != MatchKind::exchanged && !match.in_place && match.beyond == 0U;
}

bool is_close(const WeightComparison& found) {
  return found.only_a.empty() && found.only_b.empty() && found.exchanges.empty() &&
         found.ties.empty() && found.unreadable.empty() && found.unsearched.empty() &&
         std::ranges::all_of(found.matches, [](const TensorMatch& match) {
           return !is_different(match) || is_within(match);
         });
}

/// Says nothing beyond the values that were compared, pair by pair.
bool is_about_pairs(const Report& report, const Finding& finding) {
  constexpr std::array<std::string_view, 4> kOfValues = {"weights.changed", "weights.rounded",
                                                         "weights.adapted", "file.mixup"};
  if (std::ranges::count(kOfValues, std::string_view(finding.cause)) == 0) return false;
  // Weights beside the chosen ones, and factors beside theirs, are in no pair.
  for (const char* key : {"beside", "chosen", "kind"}) {
    if (finding.evidence.contains(key)) return false;
  }
  return !report.weights.empty();
}

/// Of runs: what a difference of numbers alone suggests.
bool is_about_points(const Finding& finding) {
  return finding.cause.starts_with("numerics.") ||
         (finding.cause == "code.version" && finding.evidence.contains("point"));
}

bool rests_on_numbers(const Report& report) {
  return std::ranges::all_of(report.findings, [&](const Finding& finding) {
    const bool counts = finding.role == Role::cause || finding.role == Role::contributes;
    return !counts || (report.traces ? is_about_points(finding) : is_about_pairs(report, finding));
  });
}

}  // namespace

void apply_filter(Report& report) {
  if (!report.scope.filter) return;
  bool any = false;
  for (WeightPair& pair : report.weights) {
    Restriction restriction(report, pair);
    restriction.run();
    if (report.left_out.empty()) note_left_out(report, pair.a, restriction.taken_of_a());
    note_left_out(report, pair.b, restriction.taken_of_b());
    const bool takes = restriction.taken_of_a() + restriction.taken_of_b() > 0;
    if (!takes) pair.comparison.verdict = WeightsVerdict::unknown;
    any = any || takes;
  }
  if (!any && !report.weights.empty())
    add_gap(report, "--filter takes no name of a tensor: nothing was compared", Gap::blocking);
}

void apply_tolerance(Report& report, int threads) {
  if (!report.scope.tolerance) return;
  for (WeightPair& pair : report.weights) {
    const Subject& a = subject_of(report, pair.a);
    const Subject& b = subject_of(report, pair.b);
    for (TensorMatch& match : pair.comparison.matches) {
      if (!is_different(match) || !has_pair(match)) continue;
      const ValuePair values = {weight_entry(a, match.a[0]).view, weight_entry(b, match.b[0]).view};
      if (values.a.shape() == values.b.shape() && have_numbers(values))
        match.beyond = count_beyond(values, *report.scope.tolerance, threads);
    }
  }
}

ToleranceCounts tolerance_counts(const Report& report) {
  ToleranceCounts counts;
  const auto add = [&](bool differs, bool within) {
    counts.differing += differs ? 1 : 0;
    counts.beyond += differs && !within ? 1 : 0;
  };
  for (const WeightPair& pair : report.weights) {
    for (const TensorMatch& match : pair.comparison.matches)
      add(is_different(match), is_within(match));
  }
  if (report.traces) {
    for (const OutputPair& pair : report.outputs) add(pair.differing > 0, pair.beyond == 0U);
  }
  return counts;
}

void settle_close(Report& report) {
  if (!report.scope.tolerance || report.verdict != Verdict::different) return;
  if (report.gap != Gap::aside || !rests_on_numbers(report)) return;
  const ToleranceCounts counts = tolerance_counts(report);
  const bool all_close = report.traces
                             ? report.not_checked.empty()
                             : std::ranges::all_of(report.weights, [](const WeightPair& pair) {
                                 return is_close(pair.comparison);
                               });
  if (all_close && counts.differing > 0 && counts.beyond == 0) report.verdict = Verdict::close;
}

bool is_listed(const Report& report, const StoredTensor& tensor) {
  return !report.scope.filter || report.scope.filter->takes(tensor.path);
}

std::string tolerance_text(const Tolerance& tolerance) {
  return fmt::format("rtol {} and atol {}", tolerance.relative, tolerance.absolute);
}

}  // namespace samebits
