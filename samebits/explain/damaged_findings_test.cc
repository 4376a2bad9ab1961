// Weights that differ because of damage, or because nobody wrote them.
#include "samebits/explain/damaged_findings.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class Damage : public testing::Test {
 protected:
  static std::string file_of(const std::vector<float>& w) {
    return torch_zip(dict({{"w", tensor("0", 4)}, {"v", tensor("1", 2)}}),
                     {{"0", floats(w)}, {"1", floats({5, 6})}});
  }
  static std::string without_values() {
    std::vector<zip_builder::Record> records = {
        zip_builder::stored("archive/data.pkl", pickled(dict({{"w", tensor("0", 4)}}))),
        zip_builder::stored("archive/version", "3\n"),
        zip_builder::stored("archive/data/0", floats({0, 0, 0, 0}))};
    records.back().local.crc = records.back().central.crc = 0;
    return zip_builder::archive(records).whole();
  }
  Report diff_of(const std::string& a, const std::string& b) {
    return diff({folder_.write("a.pth", a), ""}, {folder_.write("b.pth", b), ""}, 1);
  }
  static std::vector<std::string> causes_of(const Report& report) {
    std::vector<std::string> causes;
    for (const Finding& finding : report.findings) causes.push_back(finding.cause);
    return causes;
  }
  Folder folder_;
};

TEST_F(Damage, AFlippedBitIsDamageAndNoOtherTraining) {
  std::string damaged = file_of({1, 2, 3, 4});
  damaged[damaged.find(floats({1, 2, 3, 4})) + 2] ^= 1;
  const Report report = diff_of(file_of({1, 2, 3, 4}), damaged);
  EXPECT_EQ(report.verdict, Verdict::different);
  ASSERT_THAT(causes_of(report), ElementsAre("weights.invalid"));
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.role, Role::cause);
  EXPECT_THAT(finding.summary, HasSubstr("B is damaged: 1 of 2 tensors"));
  EXPECT_THAT(finding.details,
              ElementsAre(HasSubstr("record archive/data/0"),
                          HasSubstr("in A every record of a tensor that differs")));
  EXPECT_EQ(finding.evidence["tensors"], Json::array({"w"}));
  EXPECT_EQ(finding.evidence["side"], "B");
  EXPECT_EQ(finding.evidence["records"][0]["record"], "archive/data/0");
}

TEST_F(Damage, WhatIsWholeAndDiffersIsChanged) {
  EXPECT_THAT(causes_of(diff_of(file_of({1, 2, 3, 4}), file_of({1, 2, 3, 5}))),
              ElementsAre("weights.changed"));
}

TEST_F(Damage, ValuesThatWereNeverWrittenAreNoOthers) {
  const std::string whole = torch_zip(dict({{"w", tensor("0", 4)}}), {{"0", floats({1, 2, 3, 4})}});
  const Report report = diff_of(whole, without_values());
  EXPECT_EQ(report.verdict, Verdict::different);
  ASSERT_THAT(causes_of(report), ElementsAre("weights.invalid"));
  EXPECT_THAT(report.findings[0].summary, HasSubstr("B holds no values of 1 of 1 tensor"));
}

TEST_F(Damage, TwoFilesWithoutValuesAreNotTheSame) {
  const Report report = diff_of(without_values(), without_values());
  EXPECT_EQ(report.verdict, Verdict::unknown);
  ASSERT_THAT(causes_of(report), ElementsAre("weights.invalid", "weights.invalid"));
  for (const Finding& finding : report.findings) EXPECT_EQ(finding.role, Role::risk);
  EXPECT_THAT(report.not_checked,
              ElementsAre(HasSubstr("were never written"), HasSubstr("were never written")));
}

}  // namespace
}  // namespace samebits
