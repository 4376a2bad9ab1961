#include "samebits/explain/load_list.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/check.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using namespace test_files;  // NOLINT: the vocabulary of these tests

LoadList list(const std::vector<model::StoredShape>& names) {
  LoadList out{.names = names};
  for (std::size_t i = 0; i < names.size(); ++i) out.one.push_back(i);
  return out;
}

TEST(LoadIntoList, AnotherShapeRaisesInsteadOfStayingSilent) {
  const LoadReport load =
      load_into_list(list({{"a", {2}}, {"b", {3}}}), {{"a", {2}}, {"b", {4}}}, "t");
  EXPECT_THAT(load.raises, StartsWith("RuntimeError"));
  EXPECT_FALSE(load.silent);
  EXPECT_THAT(load.mismatched, ElementsAre("b"));
  EXPECT_EQ(load.mismatches.at(0).found, (Shape{4}));
}

TEST(LoadIntoList, NamesOfOneTensorAreFilledTogether) {
  LoadList tied = list({{"wte.weight", {9, 4}}, {"lm_head.weight", {9, 4}}, {"ln.weight", {4}}});
  tied.one[1] = 0;
  const LoadReport load =
      load_into_list(tied, {{"lm_head.weight", {9, 4}}, {"ln.weight", {4}}}, "t");
  EXPECT_THAT(load.random, IsEmpty());
  EXPECT_EQ(load.loaded, 3U);
  EXPECT_FALSE(load.silent);
}

TEST(LoadIntoList, ARenamingFillsAllNamesOfOneTensor) {
  LoadList tied = list({{"transformer.wte.weight", {9, 4}},
                        {"transformer.ln.weight", {4}},
                        {"lm_head.weight", {9, 4}}});
  tied.one[2] = 0;
  const LoadReport load = load_into_list(tied, {{"wte.weight", {9, 4}}, {"ln.weight", {4}}}, "t");
  EXPECT_EQ(load.random.size(), 3U);
  EXPECT_EQ(load.restored.size(), 3U);
}

TEST(LoadIntoList, ACounterThatIsAbsentIsNotRandom) {
  const LoadList target = list({{"bn.running_mean", {4}},
                                {"bn.num_batches_tracked", {}},
                                {"n_averaged", {}},
                                {"other.running_mean", {4}},
                                {"other.num_batches_tracked", {}}});
  const LoadReport load = load_into_list(target, {{"bn.running_mean", {4}}}, "t");
  EXPECT_THAT(load.counters, ElementsAre("bn.num_batches_tracked", "n_averaged"));
  EXPECT_THAT(load.random, ElementsAre("other.running_mean", "other.num_batches_tracked"));
  EXPECT_EQ(load.loaded, 1U);
}

TEST(LoadIntoList, SaysWhetherARenamingWasSearchedAndFound) {
  const LoadList target = list({{"fc.weight", {2, 2}}, {"fc.bias", {2}}});
  const LoadReport found =
      load_into_list(target, {{"module.fc.weight", {2, 2}}, {"module.fc.bias", {2}}}, "t");
  EXPECT_EQ(found.restored.size(), 2U);
  EXPECT_EQ(found.repair.at(0).from, "module.");
  const LoadReport none = load_into_list(target, {{"conv.kernel", {7}}}, "t");
  EXPECT_TRUE(none.searched);
  EXPECT_THAT(none.repair, IsEmpty());
  EXPECT_TRUE(none.silent);
}

class CheckFiles : public testing::Test {
 protected:
  Report check_of(const std::string& path, const std::string& target) {
    auto report = check({folder_.path(path), ""}, folder_.path(target), 1);
    EXPECT_TRUE(report);
    return std::move(*report);
  }
  Folder folder_;
};

TEST_F(CheckFiles, EqualBytesShowARenamingThatNamesDoNot) {
  folder_.write("a.safetensors", safetensors({{"alpha", {1, 2, 3}}, {"beta", {4, 5, 6, 7}}}));
  folder_.write("b.safetensors", safetensors({{"x1", {1, 2, 3}}, {"y", {4, 5, 6, 7}}}));
  const Report report = check_of("a.safetensors", "b.safetensors");
  EXPECT_EQ(report.loads.at(0).restored.size(), 2U);
  EXPECT_EQ(report.loads.at(0).repair.size(), 2U);
}

TEST_F(CheckFiles, AnAbsentCounterIsNoRisk) {
  folder_.write("a.safetensors", safetensors({{"bn.running_mean", {1, 2, 3}}}));
  folder_.write("list.json", R"([["bn.running_mean", [3]], ["bn.num_batches_tracked", []]])");
  const Report report = check_of("a.safetensors", "list.json");
  EXPECT_EQ(report.verdict, Verdict::clean);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].cause, "state.buffers");
  EXPECT_EQ(report.findings[0].role, Role::note);
}

TEST_F(CheckFiles, NoRenamingIsSaidToBeNone) {
  folder_.write("a.safetensors", safetensors({{"alpha", {1, 2, 3}}}));
  folder_.write("b.safetensors", safetensors({{"x", {9, 2}}}));
  const Report report = check_of("a.safetensors", "b.safetensors");
  EXPECT_THAT(report.findings[0].remedy, HasSubstr("No renaming found"));
}

TEST_F(CheckFiles, AnAdapterIsNoModelThatLacksItsWeights) {
  folder_.write("a.safetensors",
                safetensors({{"base.q.lora_A.weight", {1, 2}}, {"base.q.lora_B.weight", {3}}}));
  folder_.write("b.safetensors", safetensors({{"q.weight", {9, 2}}}));
  const Report report = check_of("a.safetensors", "b.safetensors");
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_THAT(report.loads, IsEmpty());
  EXPECT_THAT(report.not_checked, ElementsAre(HasSubstr("adapter")));
}

}  // namespace
}  // namespace samebits
