// What is marked of a segment of a model: one character, and what it means. Terminal and page show
// the same marks.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "samebits/explain/report.h"
#include "samebits/report/screen.h"

namespace samebits {

struct SegmentMark {
  char mark = '=';
  Tone tone = Tone::good;
  std::string meaning;  // "relative change 0.01 to 0.1"
};
SegmentMark segment_mark(const WeightPair& pair, const Segment& segment);

/// The marks that a strip shows, each once, the least change first.
class MarkLegend {
 public:
  void add(const SegmentMark& mark);
  std::vector<SegmentMark> marks() const;

 private:
  std::vector<SegmentMark> met_;
};

/// "0-11": the numbers of the blocks of one stack, segments [begin, end), in A; in B where A has
/// none of them.
std::string block_numbers(const WeightPair& pair, std::size_t begin, std::size_t end);

/// Equal weights need no strip; two architectures have no blocks in common.
bool has_strip(const Report& report, const WeightPair& pair);

}  // namespace samebits
