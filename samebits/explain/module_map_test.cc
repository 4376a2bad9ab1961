#include "samebits/explain/module_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/explain/report.h"
#include "samebits/explain/test_tensors.h"

namespace samebits {
namespace {

using test_tensors::model;
using test_tensors::Model;
using test_tensors::moved;
using test_tensors::without;
using testing::ElementsAre;

std::vector<ModuleMap> maps_of(const Model& a, const Model& b) {
  const Report report = test_tensors::diff_of(a, b);
  return module_maps(report, report.weights.at(0));
}

TEST(ModuleMaps, HaveARowForEachModuleAndAColumnForEachBlock) {
  const Model a = model(3);
  const std::vector<ModuleMap> maps = maps_of(a, moved(a, "vit.layers.2.", 0.1F));
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_EQ(maps[0].stack, "vit.layers");
  EXPECT_THAT(maps[0].blocks, ElementsAre(0, 1, 2));
  EXPECT_THAT(maps[0].modules, ElementsAre("fc"));
  EXPECT_EQ(maps[0].cell(0, 1).status, SegmentStatus::identical);
  EXPECT_EQ(maps[0].cell(0, 1).tensors, 2U);
  EXPECT_EQ(maps[0].cell(0, 2).status, SegmentStatus::changed);
  EXPECT_EQ(maps[0].cell(0, 2).name, "vit.layers.2.fc");
  EXPECT_NEAR(maps[0].cell(0, 2).relative.value_or(0), 0.1, 0.03);
}

// A block with one module is that module: both are measured by the same sums.
TEST(ModuleMaps, AgreeWithTheSegments) {
  const Model a = model(2);
  const Report report = test_tensors::diff_of(a, moved(a, "vit.layers.", 0.3F));
  const WeightPair& pair = report.weights.at(0);
  const std::vector<ModuleMap> maps = module_maps(report, pair);
  ASSERT_EQ(maps.size(), 1U);
  for (std::size_t block = 0; block < 2; ++block) {
    for (const Segment& segment : pair.segments) {
      if (segment.name == "vit.layers." + std::to_string(block)) {
        EXPECT_EQ(segment.relative, maps[0].cell(0, block).relative);
      }
    }
  }
}

TEST(ModuleMaps, StandInAsOrderWhateverChangedMost) {
  Model a;
  for (const char* name : {"norm.weight", "attention.q.weight", "mlp.fc.weight"}) {
    for (const char* block : {"net.0.", "net.1."})
      a.push_back({std::string(block) + name, {8}, test_tensors::draws({8}, a.size() + 1)});
  }
  const Model b = moved(moved(a, "net.0.mlp", 1.0F), "net.1.attention", 0.01F);
  const std::vector<ModuleMap> maps = maps_of(a, b);
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_THAT(maps[0].modules, ElementsAre("norm", "attention.q", "mlp.fc"));
}

TEST(ModuleMaps, SayWhatStandsInAAlone) {
  const Model a = model(2);
  const std::vector<ModuleMap> maps = maps_of(a, without(a, "vit.layers.1.fc"));
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_EQ(maps[0].cell(0, 0).status, SegmentStatus::identical);
  EXPECT_EQ(maps[0].cell(0, 1).status, SegmentStatus::only_a);
}

TEST(ModuleMaps, AreNotMadeOfEqualStacks) {
  const Model a = model(2);
  EXPECT_TRUE(maps_of(a, a).empty());
  EXPECT_TRUE(maps_of(a, moved(a, "classifier", 0.1F)).empty());
}

}  // namespace
}  // namespace samebits
