#include "samebits/model/natural_order.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace samebits::model {
namespace {

// As sorted(names, key=dot_natural_key) has them with transformers 5.24.0.
const std::vector<std::string> kSorted = {
    "0",
    "0.x",
    "007",
    "10.a",
    "",
    ".w",
    "block.9.fc2.bias",
    "block.10.fc1.weight",
    "block.10.fc2.bias",
    "block.10.fc2.weight",
    "block.10.fc10.bias",
    "block.100.fc1.weight",
    "block.weights",
    "layer",
    "layer.a",
    "layer.w",
    "layer0",
    "layer2.w",
    "layer07.w",
    "layer8",
    "layer10",
    "layers.2.x",
    "layers.10.a",
    "x",
    "x0",
    "x2",
};

TEST(NaturalLess, PutsBlock2BeforeBlock10AndNumbersBeforeText) {
  std::vector<std::string> names = kSorted;
  std::reverse(names.begin(), names.end());
  std::stable_sort(names.begin(), names.end(), natural_less);
  EXPECT_THAT(names, testing::ElementsAreArray(kSorted));
}

TEST(NaturalLess, HoldsForEveryPairOneWayOnly) {
  for (std::size_t i = 0; i < kSorted.size(); ++i) {
    for (std::size_t j = 0; j < kSorted.size(); ++j)
      EXPECT_EQ(natural_less(kSorted[i], kSorted[j]), i < j) << kSorted[i] << " " << kSorted[j];
  }
}

TEST(NaturalLess, ZerosInFrontOfANumberDoNotCount) {
  EXPECT_FALSE(natural_less("layers.2", "layers.02"));
  EXPECT_FALSE(natural_less("layers.02", "layers.2"));
  EXPECT_FALSE(natural_less("fc1", "fc001"));
  EXPECT_FALSE(natural_less("fc001", "fc1"));
}

}  // namespace
}  // namespace samebits::model
