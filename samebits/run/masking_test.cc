#include "samebits/run/masking.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RandomMasking, KeepsThePatchesWithTheLeastNoiseInItsOrder) {
  const std::vector<float> noise = {0.9F, 0.1F, 0.5F, 0.3F};
  const Masking masking = random_masking(noise, 0.5);
  EXPECT_THAT(masking.kept, ElementsAre(1U, 3U));
  EXPECT_THAT(masking.mask, ElementsAre(1.0F, 0.0F, 1.0F, 0.0F));
  EXPECT_THAT(masking.restore, ElementsAre(3U, 0U, 2U, 1U));
  EXPECT_FALSE(masking.tied);
}

TEST(RandomMasking, KeepsAsManyAsPythonComputes) {
  const std::vector<float> noise(196, 0.0F);
  EXPECT_EQ(random_masking(noise, 0.75).kept.size(), 49U);
  EXPECT_EQ(random_masking(noise, 0.0).kept.size(), 196U);
  EXPECT_EQ(random_masking(noise, 0.6).kept.size(), 78U);  // int(196 * 0.4) = int(78.4)
  EXPECT_EQ(random_masking(noise, 0.999).kept.size(), 0U);
  EXPECT_EQ(random_masking(noise, 1.0).kept.size(), 0U);
}

TEST(RandomMasking, EqualNoiseKeepsTheOrderOfThePatchesAndIsSaid) {
  const std::vector<float> noise = {0.5F, 0.1F, 0.5F};
  const Masking masking = random_masking(noise, 0.0);
  EXPECT_THAT(masking.kept, ElementsAre(1U, 0U, 2U));
  EXPECT_TRUE(masking.tied);
}

TEST(RandomMasking, OfNothingIsNothing) { EXPECT_THAT(random_masking({}, 0.5).kept, IsEmpty()); }

}  // namespace
}  // namespace samebits
