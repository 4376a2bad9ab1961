#include "samebits/train/learning_groups.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::HasSubstr;

/// A norm and a fused layer of query, key and value.
TrainedModel small_model() {
  VitWeights weights;
  weights.norm.gamma = {1, 2};
  weights.norm.beta = {0, 0};
  VitBlock block;
  const std::vector<float> matrix(6 * 2, 1.0F);
  block.qkv = {PackedMatrix(matrix.data(), 6, 2, 2), {}};
  block.attention_output = {PackedMatrix(matrix.data(), 2, 2, 2), {}};
  block.mlp_in = block.mlp_out = block.attention_output;
  weights.blocks.push_back(std::move(block));
  weights.patches = {PackedMatrix(matrix.data(), 2, 2, 2), {}};
  TrainedModel trained{.model = VitModel({}, std::move(weights))};
  const std::vector<WeightSlot> slots = weight_slots(trained.model.weights());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].role == "0:qkv.weight") {
      for (const std::size_t part : {0U, 1U, 2U})
        trained.weights.push_back({std::string(1, "qkv"[part]), "", {2, 2}, i, part * 2, 2});
    } else if (slots[i].role.starts_with("norm")) {
      trained.weights.push_back({slots[i].role, "", {2}, i, 0, 2});
    }
  }
  return trained;
}

TEST(LearningGroups, NormsAndBiasesAreApartWhereTheyDoNotDecay) {
  TrainedModel trained = small_model();
  TrainOptions options{.lr = 0.5};
  EXPECT_EQ(usual_groups(options, trained).size(), 1U);
  options.decay_all = false;
  const std::vector<LearningGroup> groups = usual_groups(options, trained);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(groups[0].names, testing::ElementsAre("q", "k", "v"));
  EXPECT_THAT(groups[1].names, testing::ElementsAre("norm.weight", "norm.bias"));
  EXPECT_EQ(groups[1].adamw.weight_decay, 0);
  EXPECT_EQ(groups[1].lr, 0.5);
}

TEST(LearningGroups, WhatStandsInNoneDoesNotLearn) {
  TrainedModel trained = small_model();
  const auto of_slots =
      assign_groups({{.names = {"q", "k", "v"}}, {.names = {"norm.bias"}}}, trained);
  ASSERT_TRUE(of_slots);
  EXPECT_THAT(*of_slots, testing::IsSupersetOf({0, 1, -1}));
  for (const StoredWeight& weight : trained.weights)
    EXPECT_EQ(weight.learns, weight.name != "norm.weight") << weight.name;
}

TEST(LearningGroups, WhatCannotBeAssignedIsNamed) {
  TrainedModel trained = small_model();
  const auto what = [&](const std::vector<LearningGroup>& groups) {
    return assign_groups(groups, trained).error().what;
  };
  EXPECT_THAT(what({{.names = {"q"}}, {.names = {"k", "v"}}}), HasSubstr("different groups"));
  EXPECT_THAT(what({{.names = {"q", "k"}}}), HasSubstr("different groups"));
  EXPECT_THAT(what({{.names = {"q", "k", "v"}}, {.names = {"q"}}}), HasSubstr("two of them"));
  EXPECT_THAT(what({{.names = {"head"}}}), HasSubstr("head is no weight of the model"));
}

TEST(LearningGroups, AreReadAsTheyWereWritten) {
  const std::vector<LearningGroup> groups = {
      {.lr = 0.1, .adamw = {.beta1 = 0.8}, .steps_before = -3, .names = {"a", "b"}},
      {.adamw = {.weight_decay = 0}, .steps_before = 7}};
  EXPECT_EQ(*groups_from_json(groups_json(groups), "f"), groups);
  for (const char* field :
       {"lr", "beta1", "beta2", "eps", "weight_decay", "steps_before", "names"}) {
    Json other = groups_json(groups);
    other[0][field] = "x";
    EXPECT_EQ(groups_from_json(other, "f").error().code, ErrorCode::malformed) << field;
    other[0].erase(field);
    EXPECT_FALSE(groups_from_json(other, "f")) << field;
  }
  EXPECT_FALSE(groups_from_json(Json::object(), "f"));
  EXPECT_FALSE(groups_from_json(Json::array({1}), "f"));
}

}  // namespace
}  // namespace samebits
