#include "samebits/explain/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/explain/diff.h"
#include "samebits/explain/test_tensors.h"

namespace samebits {
namespace {

using test_tensors::Model;
using test_tensors::model;
using test_tensors::moved;
using test_tensors::without;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Diagnosis : public testing::Test {
 protected:
  std::string of(const Model& a, const Model& b) { return test_tensors::diff_of(a, b).diagnosis; }
};

TEST_F(Diagnosis, OfEqualFilesIsTheAnswer) {
  EXPECT_EQ(of(model(2), model(2)), "no difference found in what was compared");
}

TEST_F(Diagnosis, NamesFrozenAndTrainedBlocks) {
  Model trained = moved(model(6), "vit.layers.4.", 0.05F);
  trained = moved(trained, "vit.layers.5.", 0.05F);
  trained = moved(trained, "classifier", 0.05F);
  const std::string text = of(model(6), trained);
  EXPECT_THAT(text, StartsWith("as after fine-tuning: "));
  EXPECT_THAT(text, HasSubstr("blocks 4 and 5 and the head differ (relative change 0.0"));
  EXPECT_THAT(text, HasSubstr("the embeddings, blocks 0 to 3 and vit.layernorm are identical"));
}

// A block that changed before one that did not, and changes as large as the weights themselves.
TEST_F(Diagnosis, LikensNothingElseToFineTuning) {
  const Model early = moved(moved(model(6), "vit.layers.1.", 0.05F), "vit.layernorm", 0.05F);
  EXPECT_THAT(of(model(6), early), Not(HasSubstr("fine-tuning")));
  EXPECT_THAT(of(model(6), moved(model(6), "vit.layers.5.", 3)), Not(HasSubstr("fine-tuning")));
}

TEST_F(Diagnosis, NamesTheOneTensorThatDiffers) {
  Model b = model(2);
  b[2].values[0] += 1;
  EXPECT_EQ(of(model(2), b),
            "only vit.layers.0.fc.weight differs, in 1 of 64 elements, by up to 1");
}

TEST_F(Diagnosis, NamesAnotherHeadAndItsClasses) {
  EXPECT_EQ(of(model(2, 3), model(2, 10)),
            "the same backbone, another head (3 classes in A, 10 in B): all but the head is "
            "identical");
}

TEST_F(Diagnosis, NamesAHeadThatOneSideLacks) {
  const Model a = model(2);
  EXPECT_EQ(of(a, without(a, "classifier")), "B is A without the head: all else is identical");
  EXPECT_EQ(of(without(a, "classifier"), a), "B is A with the head added: all else is identical");
}

TEST_F(Diagnosis, NamesBlocksOfOneSide) {
  const std::string text = of(model(2), model(5));
  EXPECT_THAT(text, HasSubstr("blocks 2 to 4 are only in B"));
  EXPECT_THAT(text, Not(HasSubstr("fine-tuning")));
}

// Numbers of headline and table are of one comparison.
TEST_F(Diagnosis, DoesNotSayIdenticalOfWhatChanged) {
  const Report report = test_tensors::diff_of(model(3), moved(model(3), "", 0.02F));
  EXPECT_THAT(report.diagnosis, HasSubstr("all 3 blocks"));
  EXPECT_THAT(report.diagnosis, Not(HasSubstr("identical")));
  EXPECT_EQ(report.weights[0].comparison.changed, report.weights[0].comparison.matched);
}

TEST_F(Diagnosis, SaysWhereNothingIsAlike) {
  Model other = model(3);
  for (std::size_t i = 0; i < other.size(); ++i)
    other[i].values = test_tensors::draws(other[i].shape, 700 + i);
  EXPECT_THAT(of(model(3), other), StartsWith("unlike throughout: "));
  EXPECT_THAT(of(model(3), moved(model(3), "", 0.02F)), Not(HasSubstr("unlike")));
  const Model base = model(3);
  for (std::size_t i = 0; i < other.size(); ++i)  // of each block a matrix is kept
    if (base[i].name.find(".fc.weight") != std::string::npos) other[i] = base[i];
  EXPECT_THAT(of(base, other), Not(HasSubstr("unlike")));
}

// One column times one row, added to a matrix of eight by eight.
TEST_F(Diagnosis, NamesALowRankUpdate) {
  Model base;
  for (int n = 0; n < 2; ++n) {
    const std::string at = "vit.layers." + std::to_string(n) + ".";
    for (const char* part : {"query.weight", "key.weight"})
      base.push_back({at + part, {16, 16}, test_tensors::draws({16, 16}, base.size() + 1)});
  }
  Model merged = base;
  for (const std::size_t changed : {0, 2}) {
    const std::vector<float> column = test_tensors::draws({16}, 50 + changed);
    const std::vector<float> row = test_tensors::draws({16}, 60 + changed);
    for (std::size_t i = 0; i < 256; ++i) merged[changed].values[i] += column[i / 16] * row[i % 16];
  }
  EXPECT_EQ(of(base, merged), "B is A plus an update of rank 1 in query of both blocks");
}

TEST_F(Diagnosis, OfAFileThatCannotBeReadNamesIt) {
  const test_files::Folder folder;
  const std::string a = folder.write("a.safetensors", test_tensors::safetensors_file(model(2)));
  const Report report = diff({a, ""}, {folder.path("nosuch"), ""}, 1);
  EXPECT_EQ(report.diagnosis, folder.path("nosuch") + " could not be read");
}

}  // namespace
}  // namespace samebits
