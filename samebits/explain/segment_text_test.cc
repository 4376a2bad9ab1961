#include "samebits/explain/segment_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace samebits {
namespace {

using testing::ElementsAre;

std::vector<Segment> twelve_blocks() {
  std::vector<Segment> all = {{.name = "vit.embeddings", .kind = SegmentKind::embeddings}};
  for (std::int64_t n = 0; n < 12; ++n)
    all.push_back({.name = "vit.layers." + std::to_string(n),
                   .kind = SegmentKind::block,
                   .stack = "vit.layers",
                   .number = n});
  all.push_back({.name = "vit.layernorm"});
  all.push_back({.name = "classifier", .kind = SegmentKind::head});
  return all;
}

std::string text_of(const std::vector<std::size_t>& chosen) {
  const std::vector<Segment> all = twelve_blocks();
  std::vector<bool> marks(all.size());
  for (const std::size_t i : chosen) marks[i] = true;
  return segments_text(all, marks);
}

TEST(SegmentText, NamesBlocksByRanges) {
  EXPECT_EQ(text_of({}), "");
  EXPECT_EQ(text_of({5}), "block 4");
  EXPECT_EQ(text_of({5, 6}), "blocks 4 and 5");
  EXPECT_EQ(text_of({1, 2, 3, 4, 14}), "blocks 0 to 3 and the head");
  EXPECT_EQ(text_of({0, 1, 3, 6, 7, 8, 13}),
            "the embeddings, blocks 0, 2 and 5 to 7 and vit.layernorm");
  EXPECT_EQ(text_of({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), "all 12 blocks");
  EXPECT_EQ(text_of({1, 3, 5, 7, 9}), "5 of the 12 blocks");
}

TEST(SegmentText, FoldsNamesOfBlocksByRule) {
  std::vector<std::string> names = {"pooler"};
  for (int n = 6; n < 12; ++n) {
    for (const char* part : {"attention", "mlp"})
      names.push_back("vit.layers." + std::to_string(n) + "." + part);
  }
  names.emplace_back("decoder.0.norm");
  EXPECT_THAT(folded_names(names, "point"),
              ElementsAre("pooler", "12 points of vit.layers 6 to 11", "decoder.0.norm"));
}

TEST(SegmentText, GivesTheRangeOfRelativeChanges) {
  std::vector<Segment> all = twelve_blocks();
  all[1].least = 0.0499;
  all[1].most = all[2].least = all[2].most = 0.0501;
  std::vector<bool> marks(all.size(), true);
  EXPECT_EQ(relative_text(all, marks), "0.05");
  all[3].least = 0.07;
  all[3].most = 0.2;
  EXPECT_EQ(relative_text(all, marks), "0.05 to 0.2");
  EXPECT_EQ(relative_text(all, std::vector<bool>(all.size())), "");
}

}  // namespace
}  // namespace samebits
