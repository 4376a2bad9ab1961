#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "samebits/report/sample_report.h"
#include "samebits/report/sections.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A report whose tensors differ: names with their norms, each changed in all elements.
struct ChangedTensor {
  std::string name;
  double norm = 1, difference = 0;
  std::string pattern = "all";
  std::uint64_t ulp = 100'000;
};

Report changed_report(const std::vector<ChangedTensor>& tensors) {
  std::vector<std::string> names;
  WeightPair pair = sample_pair("A", "B", WeightsVerdict::different, tensors.size());
  for (const ChangedTensor& each : tensors) {
    TensorStats stats;
    stats.elements = stats.differing = 8;
    stats.norm_a = each.norm;
    stats.norm_difference = each.difference;
    stats.relative_norm = each.difference / each.norm;
    stats.max_abs = each.difference / 2;
    stats.max_ulp = each.ulp;
    stats.pattern = each.pattern;
    pair.comparison.matches.push_back({{static_cast<std::uint32_t>(names.size())},
                                       {static_cast<std::uint32_t>(names.size())},
                                       MatchKind::changed,
                                       "",
                                       stats});
    names.push_back(each.name);
  }
  Report report;
  report.subjects = {
      sample_subject("A", "a", sample_checkpoint(CheckpointKind::state_dict, names)),
      sample_subject("B", "b", sample_checkpoint(CheckpointKind::state_dict, names))};
  report.weights = {pair};
  return report;
}

std::string changed_of(const Report& report, const TerminalStyle& style = {}) {
  Screen screen(style);
  changed_section(report, &screen);
  return screen.take();
}

// Together: sqrt(0.3^2 + 0.4^2) over sqrt(1 + 1).
TEST(Changed, PutsNamesThatDifferInNumbersIntoOneRowAndSortsByWhatItShows) {
  const Report report = changed_report(
      {{"head.weight", 1, 0.01}, {"layers.4.q.weight", 1, 0.3}, {"layers.5.q.weight", 1, 0.4}});
  EXPECT_EQ(changed_of(report),
            "  changed              n    relative  max abs  pattern\n"
            "  layers.{n}.q.weight  4-5     0.354      0.2  all\n"
            "  head.weight                   0.01    0.005  all\n");
}

TEST(Changed, ShowsEveryTensorWhenAskedForAll) {
  std::vector<ChangedTensor> tensors;
  for (int i = 0; i < 40; ++i)
    tensors.push_back({"layers." + std::to_string(i) + ".w", 1, 0.1 + 0.001 * i});
  EXPECT_THAT(changed_of(changed_report(tensors)), HasSubstr("layers.{n}.w  0-39"));
  const std::string all = changed_of(changed_report(tensors), {.all = true});
  EXPECT_THAT(all, HasSubstr("layers.0.w"));
  EXPECT_THAT(all, HasSubstr("layers.39.w"));
  EXPECT_THAT(all, Not(HasSubstr("more")));
}

TEST(Changed, CountsInUlpOnlyWhereTheyAreFew) {
  const std::string few = changed_of(changed_report({{"a", 1, 1e-7, "one ulp", 1}}));
  EXPECT_THAT(few, HasSubstr("ULP"));
  EXPECT_THAT(changed_of(changed_report({{"a", 1, 1}})), Not(HasSubstr("ULP")));
}

TEST(Changed, KeepsNamesApartInLittleRoom) {
  std::vector<ChangedTensor> tensors;
  for (const char* leaf : {"attention.q_proj.bias", "attention.k_proj.bias",
                           "layernorm_before.bias", "layernorm_after.bias"})
    tensors.push_back({std::string("model.vit.encoder.layer.3.") + leaf, 1, 0.1});
  for (const int width : {60, 80}) {
    const std::string text = changed_of(changed_report(tensors), {.width = width});
    std::set<std::string> rows;
    std::size_t count = 0;
    for (std::size_t begin = 0; begin < text.size(); ++count) {
      const std::size_t end = text.find('\n', begin);
      rows.insert(text.substr(begin, end - begin));
      begin = end + 1;
    }
    EXPECT_EQ(rows.size(), count) << text;
  }
}

TEST(Changed, AChangeFromZerosIsInfinite) {
  ChangedTensor zero{"a", 0, 1};
  Report report = changed_report({zero});
  report.weights[0].comparison.matches[0].stats->relative_norm = INFINITY;
  EXPECT_THAT(changed_of(report), HasSubstr("Infinity"));
}

}  // namespace
}  // namespace samebits
