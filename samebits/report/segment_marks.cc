#include "samebits/report/segment_marks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace samebits {
namespace {

struct ChangeStep {
  double below;  // relative change
  SegmentMark mark;
};
const std::array<ChangeStep, 4> kChangeSteps = {
    {{1e-3, {'.', Tone::warn, "relative change below 0.001"}},
     {1e-2, {':', Tone::warn, "relative change 0.001 to 0.01"}},
     {1e-1, {'+', Tone::warn, "relative change 0.01 to 0.1"}},
     {1, {'*', Tone::bad, "relative change 0.1 to 1"}}}};

char lower(const std::string& label) { return static_cast<char>(label[0] - 'A' + 'a'); }

SegmentMark change_mark(const Segment& segment) {
  const double change = segment.relative.value_or(0);
  for (const ChangeStep& step : kChangeSteps) {
    if (change < step.below) return step.mark;
  }
  return {'#', Tone::bad,
          std::isfinite(change) ? "relative change 1 or more" : "changed from zeros"};
}

}  // namespace

SegmentMark segment_mark(const WeightPair& pair, const Segment& segment) {
  switch (segment.status) {
    case SegmentStatus::identical: return {'=', Tone::good, "equal"};
    case SegmentStatus::rounded: return {'~', Tone::warn, "equal up to rounding"};
    case SegmentStatus::more_in_a:
      return {lower(pair.a), Tone::bold, "equal, but for tensors only in " + pair.a};
    case SegmentStatus::more_in_b:
      return {lower(pair.b), Tone::bold, "equal, but for tensors only in " + pair.b};
    case SegmentStatus::exchanged: return {'x', Tone::bad, "in another place or order"};
    case SegmentStatus::changed: return change_mark(segment);
    case SegmentStatus::unlike: return {'/', Tone::bad, "another shape, type, name or digest"};
    case SegmentStatus::not_finite: return {'!', Tone::bad, "NaN or infinite on one side"};
    case SegmentStatus::only_a: return {pair.a[0], Tone::bold, "only in " + pair.a};
    case SegmentStatus::only_b: return {pair.b[0], Tone::bold, "only in " + pair.b};
    case SegmentStatus::not_compared: return {'?', Tone::bold, "could not be read"};
  }
  return {'?', Tone::plain, ""};
}

void MarkLegend::add(const SegmentMark& mark) {
  if (std::ranges::find(met_, mark.mark, &SegmentMark::mark) == met_.end()) met_.push_back(mark);
}

std::vector<SegmentMark> MarkLegend::marks() const {
  std::vector<SegmentMark> sorted = met_;
  constexpr std::string_view kOrder = "=~.:+*#";  // what one side has alone comes last
  std::ranges::stable_sort(sorted, {},
                           [&](const SegmentMark& each) { return kOrder.find(each.mark); });
  return sorted;
}

std::string block_numbers(const WeightPair& pair, std::size_t begin, std::size_t end) {
  std::vector<std::int64_t> numbers;
  for (const bool inserted : {false, true}) {
    for (std::size_t i = begin; i < end && (!inserted || numbers.empty()); ++i)
      if (pair.segments[i].inserted == inserted) numbers.push_back(pair.segments[i].number);
  }
  const std::string first = std::to_string(numbers.front());
  return numbers.back() == numbers.front() ? first : first + "-" + std::to_string(numbers.back());
}

bool has_strip(const Report& report, const WeightPair& pair) {
  const bool unlike = std::ranges::any_of(report.findings, [&](const Finding& finding) {
    return finding.evidence.contains("architectures") &&
           finding.subjects == std::vector{pair.a, pair.b};
  });
  return !unlike && !says_equal(pair.comparison.verdict) && pair.segments.size() > 1 &&
         std::ranges::any_of(pair.segments, [](const Segment& segment) {
           return segment.status != SegmentStatus::identical;
         });
}

}  // namespace samebits
