#include "samebits/train/process_group.h"

#include <array>

#include <gmock/gmock.h>

#include "samebits/train/thread_group.h"

namespace samebits {
namespace {

using test_ranks::run_ranks;

TEST(ProcessGroup, SharesWhatEveryRankGives) {
  run_ranks(4, [](ProcessGroup& group) {
    const std::vector<float> mine(group.rank(), static_cast<float>(group.rank()));
    const auto all = share_numbers<float>(group, mine);
    ASSERT_TRUE(all);
    EXPECT_THAT(*all,
                testing::ElementsAre(testing::IsEmpty(), testing::ElementsAre(1),
                                     testing::ElementsAre(2, 2), testing::ElementsAre(3, 3, 3)));
    EXPECT_TRUE(group.meet());
  });
}

TEST(ProcessGroup, AnErrorOfOneRankIsThatOfAllWithItsRank) {
  run_ranks(3, [](ProcessGroup& group) {
    Result<void> mine;
    if (group.rank() > 0)
      mine = fail({.code = ErrorCode::io,
                   .what = "rank's own " + std::to_string(group.rank()),
                   .file = "f",
                   .offset = 9,
                   .expected = "e",
                   .found = "o",
                   .hint = "h\xff"});
    const Result<void> agreed = agree(group, mine);
    ASSERT_FALSE(agreed);
    EXPECT_EQ(agreed.error().code, ErrorCode::io);
    EXPECT_EQ(to_string(agreed.error()),
              "f: byte 9: rank 1 of 3: rank's own 1 (expected e, found o). h\xef\xbf\xbd");
  });
}

TEST(ProcessGroup, AnErrorThatAllHaveNamesNoRank) {
  run_ranks(2, [](ProcessGroup& group) {
    const Result<void> agreed = agree(group, fail({.code = ErrorCode::usage, .what = "w"}));
    ASSERT_FALSE(agreed);
    EXPECT_EQ(to_string(agreed.error()), "w");
  });
}

TEST(ProcessGroup, OneProcessKeepsItsOwn) {
  OneProcess alone;
  EXPECT_TRUE(alone.meet());
  EXPECT_TRUE(agree(alone, {}));
  EXPECT_EQ(to_string(agree(alone, fail({.what = "w", .offset = 3})).error()), "byte 3: w");
  EXPECT_THAT(*share_numbers<int>(alone, std::vector<int>{7}),
              testing::ElementsAre(testing::ElementsAre(7)));
}

}  // namespace
}  // namespace samebits
