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

TEST(PackedWeights, AreNotMissing) {
  const auto linear = [](const std::string& parameters, const std::string& children) {
    const std::string layer =
        object(global("torch.nn.modules.linear", "Linear"),
               dict({{"training", kFalse}, {"_parameters", parameters}, {"_modules", children}}));
    return object(global("my.net", "Net"), dict({{"training", kFalse},
                                                 {"_parameters", dict({{"w", tensor("0", 2)}})},
                                                 {"_modules", dict({{"fc", layer}})}}));
  };
  const std::string packed =
      object(global("torch.ao.nn.quantized.modules.linear", "LinearPackedParams"),
             dict({{"training", kFalse}, {"_parameters", dict({})}, {"_modules", dict({})}}));
  const Folder folder;
  const auto file = [&](const std::string& name, const std::string& value) {
    return SubjectOptions{
        folder.write(name, torch_zip(value, {{"0", floats({1, 2})}, {"1", floats({3, 4})}})), ""};
  };
  const Report report =
      diff(file("a.pth", linear(dict({{"weight", tensor("1", 2)}}), dict({}))),
           file("b.pth", linear(dict({}), dict({{"_packed_params", packed}}))), 1);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].cause, "weights.quantized");
  EXPECT_EQ(report.findings[0].evidence["tensors"], Json::array({"fc.weight"}));
  for (const Finding& finding : report.findings) EXPECT_NE(finding.cause, "weights.missing");
}

}  // namespace
}  // namespace samebits
