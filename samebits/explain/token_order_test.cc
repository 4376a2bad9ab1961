#include "samebits/explain/token_order.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;

constexpr std::size_t kPatches = 3, kWidth = 2;

/// Two images of three patches behind a class token. The patch p of an image stands where
/// `restore` says; its numbers are those of the patch, with `error` on the last one.
VitOutputs outputs(const std::vector<float>& restore, float error = 0) {
  std::vector<float> hidden(2 * (1 + kPatches) * kWidth, 7);
  for (std::size_t i = 0; i < restore.size(); ++i) {
    const std::size_t image = i / kPatches * (1 + kPatches);
    const std::size_t row = image + 1 + static_cast<std::size_t>(restore[i]);
    for (std::size_t d = 0; d < kWidth; ++d)
      hidden[row * kWidth + d] = static_cast<float>(10 * i + d);
    if (i + 1 == restore.size()) hidden[row * kWidth + kWidth - 1] += error;
  }
  VitOutputs result;
  result.arrays.push_back({"last_hidden_state", {2, 1 + kPatches, kWidth}, hidden});
  result.arrays.push_back({"ids_restore", {2, kPatches}, restore, true});
  return result;
}

const std::vector<float> kOne = {0, 1, 2, 2, 1, 0}, kOther = {1, 2, 0, 0, 2, 1};

TEST(TokenOrder, TheSameTokensInTwoOrdersAreApartByNothing) {
  EXPECT_EQ(distance_in_one_order(outputs(kOne), outputs(kOther)), 0);
  EXPECT_EQ(distance_in_one_order(outputs(kOne), outputs(kOne)), 0);
}

TEST(TokenOrder, ADifferenceInTheLastNumberOfTheLastPatchIsSeen) {
  EXPECT_EQ(distance_in_one_order(outputs(kOne), outputs(kOther, 0.5F)), 0.5);
  EXPECT_EQ(distance_in_one_order(outputs(kOne, 0.5F), outputs(kOther)), 0.5);
}

TEST(TokenOrder, WhereTokensWereRemovedNothingIsSaid) {
  VitOutputs fewer = outputs(kOne);
  fewer.arrays[0].shape = {2, 2, kWidth};
  fewer.arrays[0].values.resize(2 * 2 * kWidth);
  EXPECT_FALSE(distance_in_one_order(fewer, fewer));
  EXPECT_FALSE(distance_in_one_order(fewer, outputs(kOther)));
}

TEST(TokenOrder, OnlyRoundingIsTheSameTokens) {
  // Apart by 100 as they stand: a hundred-thousandth of it is what rounding may leave.
  const auto rounding = [](float error) {
    return rounding_in_one_order(outputs(kOne), outputs(kOther, error), 100);
  };
  EXPECT_EQ(rounding(0), 0);
  EXPECT_EQ(rounding(0x1p-11F), 0x1p-11);
  EXPECT_FALSE(rounding(0x1p-9F));
  EXPECT_FALSE(rounding(0.5F));
  EXPECT_FALSE(rounding(50));
}

TEST(TokenOrder, PlacesAreThoseOfTheFirstImage) {
  EXPECT_THAT(places_of_patches(outputs(kOther)), ElementsAre(1, 2, 0));
}

}  // namespace
}  // namespace samebits
