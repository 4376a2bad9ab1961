#include "samebits/explain/misspelt_findings.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

/// Names of four weights, each with values of its own.
Report diff_of_names(const std::array<std::string, 4>& a, const std::array<std::string, 4>& b) {
  const Folder folder;
  const auto file = [&](const std::string& name, const std::array<std::string, 4>& names) {
    std::vector<std::pair<std::string, std::string>> items;
    for (std::size_t i = 0; i < names.size(); ++i)
      items.emplace_back(names[i], tensor(std::to_string(i), 2));
    return folder.write(name, torch_zip(dict(items), {{"0", floats({1, 2})},
                                                      {"1", floats({3, 4})},
                                                      {"2", floats({5, 6})},
                                                      {"3", floats({7, 8})}}));
  };
  return diff({file("a.pth", a), ""}, {file("b.pth", b), ""}, 1);
}

TEST(Misspelt, OneNameOfAModuleThatKeepsTheOthersIsARisk) {
  const Report report =
      diff_of_names({"vit.norm.weight", "vit.norm.bias", "vit.fc.weight", "vit.fc.bias"},
                    {"vit.nrm.weight", "vit.norm.bias", "vit.fc.weight", "vit.fc.bias"});
  EXPECT_EQ(report.verdict, Verdict::same);
  ASSERT_FALSE(report.findings.empty());
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.role, Role::risk);
  EXPECT_EQ(finding.evidence["tensors"], Json::array({"vit.nrm.weight"}));
  EXPECT_THAT(finding.summary, HasSubstr("vit.norm.weight is vit.nrm.weight in B"));
}

TEST(Misspelt, AModuleOfAnotherNameIsARule) {
  const Report report =
      diff_of_names({"vit.norm.weight", "vit.norm.bias", "vit.fc.weight", "vit.fc.bias"},
                    {"vit.ln.weight", "vit.ln.bias", "vit.fc.weight", "vit.fc.bias"});
  EXPECT_EQ(report.verdict, Verdict::same);
  for (const Finding& finding : report.findings) EXPECT_EQ(finding.role, Role::note);
}

}  // namespace
}  // namespace samebits
