#include "samebits/explain/layout_findings.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

/// A vector of three elements by layout.
std::string in_coordinates() {
  return call(global("torch._utils", "_rebuild_sparse_tensor"),
              {call(global("torch.serialization", "_get_layout"), {text("torch.sparse_coo")}),
               tuple({tensor("1", 2), tensor("2", 2), tuple({number(3)}), kTrue})});
}

Report diff_of_w(const std::string& a, const std::string& b) {
  const Folder folder;
  const auto file = [&](const std::string& name, const std::string& w) {
    return folder.write(
        name, torch_zip(dict({{"w", w}, {"b", tensor("3", 2)}}), {{"0", floats({1, 0, 2})},
                                                                  {"1", floats({0, 2})},
                                                                  {"2", floats({1, 2})},
                                                                  {"3", floats({5, 6})}}));
  };
  return diff({file("a.pth", a), ""}, {file("b.pth", b), ""}, 1);
}

TEST(Layouts, ASparseWeightIsNotMissingFromTheDenseSide) {
  for (const bool turned : {false, true}) {
    const std::string dense = tensor("0", 3);
    const Report report =
        turned ? diff_of_w(dense, in_coordinates()) : diff_of_w(in_coordinates(), dense);
    ASSERT_EQ(report.findings.size(), 1U);
    const Finding& finding = report.findings[0];
    EXPECT_EQ(finding.cause, "weights.layout");
    EXPECT_EQ(finding.evidence["tensors"], Json::array({"w"}));
    EXPECT_THAT(finding.summary, HasSubstr(turned ? "w is dense in A, sparse_coo in B"
                                                  : "w is sparse_coo in A, dense in B"));
    EXPECT_EQ(report.verdict, Verdict::different);
  }
}

TEST(Layouts, OfOneKindAreNoFinding) {
  EXPECT_EQ(diff_of_w(in_coordinates(), in_coordinates()).verdict, Verdict::same);
}

}  // namespace
}  // namespace samebits
