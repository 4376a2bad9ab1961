// What inspect says of a training's file, by value.
#include <gmock/gmock.h>

#include <algorithm>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/inspect.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

/// An optimizer of one parameter; `key` of its state, `moments` the storage of its moments.
std::string optimizer(const std::string& key, const std::string& moments) {
  const std::string state =
      "}" + key +
      dict({{"step", number(moments == "1" ? 0 : 2)}, {"exp_avg", tensor(moments, 2)}}) + "s";
  const std::string group = dict({{"lr", "G" + std::string("\x3f\xf0\0\0\0\0\0\0", 8)},
                                  {"betas", tuple({number(0), number(0)})},
                                  {"params", "]" + number(0) + "a"}});
  return dict({{"state", state}, {"param_groups", "]" + group + "a"}});
}

Report inspected(const std::string& value) {
  const Folder folder;
  const std::string path = folder.write(
      "x.pt",
      torch_zip(value, {{"0", floats({1, 2})}, {"1", floats({0, 0})}, {"2", floats({3, 4})}}));
  return inspect(path, {});
}

std::string checkpoint_with(const std::string& optimizer_state) {
  return dict({{"model", dict({{"w", tensor("0", 2)}})},
               {"optimizer", optimizer_state},
               {"global_step", number(30)},
               {"loss", "G" + std::string("\x40\0\0\0\0\0\0\0", 8)},
               {"args", object(global("argparse", "Namespace"), dict({{"width", number(16)}}))}});
}

const Finding* resume_of(const Report& report) {
  const auto found =
      std::find_if(report.findings.begin(), report.findings.end(),
                   [](const Finding& finding) { return finding.cause == "resume.missing"; });
  return found == report.findings.end() ? nullptr : &*found;
}

TEST(TrainingValues, AreValuesNotKeys) {
  const Report report = inspected(checkpoint_with(optimizer(number(0), "2")));
  const TrainingState& training = report.subjects[0].checkpoint->training;
  EXPECT_EQ(training.values["global_step"], 30);
  EXPECT_EQ(training.values["loss"], 2.0);
  EXPECT_EQ(training.values["args"]["width"], 16);
  EXPECT_EQ(training.values["param_groups"][0]["lr"], 1.0);
  EXPECT_EQ(training.values["param_groups"][0]["params"], 1);
  ASSERT_EQ(training.optimizers.size(), 1u);
  EXPECT_EQ(training.optimizers[0].step, 2.0);
  EXPECT_EQ(resume_of(report), nullptr);
}

TEST(FreshOptimizer, HasZeroMomentsInAFileOfStep30) {
  const Report report = inspected(checkpoint_with(optimizer(number(0), "1")));
  ASSERT_NE(resume_of(report), nullptr);
  EXPECT_EQ(resume_of(report)->role, Role::risk);
  EXPECT_EQ(resume_of(report)->summary,
            "the optimizer (optimizer) is fresh: its moments are all zero");
}

TEST(FreshOptimizer, IsANoteWhereTheFileSaysNothingOfSteps) {
  const Report report = inspected(optimizer(number(0), "1"));
  ASSERT_NE(resume_of(report), nullptr);
  EXPECT_EQ(resume_of(report)->role, Role::note);
}

TEST(UnusedState, StandsUnderStringsWhereIntegersAreListed) {
  const Report report = inspected(checkpoint_with(optimizer(text("0"), "2")));
  ASSERT_NE(resume_of(report), nullptr);
  EXPECT_EQ(resume_of(report)->role, Role::risk);
  EXPECT_THAT(resume_of(report)->details[0], HasSubstr("'0', a string"));
}

TEST(LoadRefused, NamesWhatIsToBeAllowed) {
  const Report report = inspected(checkpoint_with(optimizer(number(0), "2")));
  const auto found =
      std::find_if(report.findings.begin(), report.findings.end(),
                   [](const Finding& finding) { return finding.cause == "load.refused"; });
  ASSERT_NE(found, report.findings.end());
  EXPECT_EQ(found->role, Role::risk);
  EXPECT_EQ(found->evidence["globals"], Json::array({"argparse.Namespace"}));
}

}  // namespace
}  // namespace samebits
