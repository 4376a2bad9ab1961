#include "samebits/train/optimizer.h"

#include <cmath>

#include <gmock/gmock.h>

#include "samebits/train/schedule.h"

namespace samebits {
namespace {

// The C library's pow() and cos() are within one unit of the last place, and mostly exact.
TEST(Power, IsWithinOneUnitOfTheLibrarys) {
  std::size_t different = 0;
  for (const double base : {0.9, 0.95, 0.99, 0.999, 0.5, 0.0}) {
    for (std::uint64_t n = 1; n < 3000; ++n) {
      const double wanted = std::pow(base, static_cast<double>(n));
      const double found = power(base, n);
      different += found == wanted ? 0 : 1;
      ASSERT_NEAR(found, wanted, 3e-16 * wanted) << base << " " << n;
    }
  }
  EXPECT_LT(different, 100U);
  EXPECT_EQ(power(0.9, 0), 1);
}

TEST(Cosine, IsWithinTwoUnits) {
  for (int i = 0; i <= 10'000; ++i) {
    const double x = i / 10'000.0;
    ASSERT_NEAR(cosine_of_half_turns(x), std::cos(M_PI * x), 4.5e-16) << x;
  }
  EXPECT_EQ(cosine_of_half_turns(0), 1);
  EXPECT_EQ(cosine_of_half_turns(1), -1);
}

TEST(Schedule, RisesAndFalls) {
  const Schedule linear{Schedule::Kind::linear, 2, 10};
  EXPECT_EQ(linear.factor(0), 0);
  EXPECT_EQ(linear.factor(1), 0.5);
  EXPECT_EQ(linear.factor(2), 1);
  EXPECT_EQ(linear.factor(6), 0.5);
  EXPECT_EQ(linear.factor(12), 0);
  const Schedule cosine{Schedule::Kind::cosine, 0, 8};
  EXPECT_EQ(cosine.factor(0), 1);
  EXPECT_NEAR(cosine.factor(4), 0.5, 1e-16);
  EXPECT_EQ(cosine.factor(8), 0);
  EXPECT_EQ((Schedule{Schedule::Kind::constant, 4, 0}.factor(2)), 0.5);
  EXPECT_EQ((Schedule{Schedule::Kind::constant, 4, 0}.factor(4)), 1);
  for (const std::string& name : schedule_names())
    EXPECT_EQ(schedule_name(*schedule_from_name(name)), name);
  EXPECT_FALSE(schedule_from_name("step"));
}

/// Weights of every kind, with numbers that tell their place.
VitWeights some_weights() {
  VitWeights weights;
  weights.class_token.assign(5, 1.5F);
  std::vector<float> matrix(40 * 3);
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<float>(i) / 8;
  weights.patches = {PackedMatrix(matrix.data(), 40, 3, 3), std::vector<float>(40, 0.25F)};
  weights.norm = {{1, 2, 3}, {4, 5, 6}};
  return weights;
}

TEST(WeightSlots, RowsAreThoseOfTheMatrix) {
  VitWeights weights = some_weights();
  const std::vector<WeightSlot> slots = weight_slots(weights);
  ASSERT_EQ(slots.size(), 5U);
  EXPECT_EQ(slots[1].role, "patches.weight");
  for (const auto& [first, count] :
       {std::pair<std::size_t, std::size_t>{0, 40}, {3, 30}, {31, 2}, {39, 1}, {7, 0}}) {
    std::vector<float> rows(count * 3);
    slots[1].read_rows(first, count, rows.data());
    for (std::size_t i = 0; i < rows.size(); ++i)
      ASSERT_EQ(rows[i], static_cast<float>(first * 3 + i) / 8);
  }
  std::vector<float> row = {7, 8, 9};
  slots[1].write_rows(33, 1, row.data());
  std::vector<float> rows(9);
  slots[1].read_rows(32, 3, rows.data());
  EXPECT_THAT(rows, testing::ElementsAre(12, 12.125, 12.25, 7, 8, 9, 12.75, 12.875, 13));
}

TEST(GradientNorm, IsThatOfAllArraysInTheirOrder) {
  VitWeights weights = some_weights();
  std::vector<LearningSlot> slots;
  double squares = 0;
  for (const WeightSlot& slot : weight_slots(weights)) {
    slots.push_back({slot, slot, slot, slot});
    std::vector<float> rows(slot.rows() * slot.row_length());
    slot.read_rows(0, slot.rows(), rows.data());
    for (const float each : rows) squares += static_cast<double>(each) * static_cast<double>(each);
  }
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    EXPECT_NEAR(gradient_norm({best_kernels(), pool}, slots), std::sqrt(squares), 1e-12);
  }
}

TEST(AdamwStep, NamesTheArrayThatIsNotFinite) {
  VitWeights weights = some_weights();
  VitWeights gradient = zeros_like(weights);
  VitWeights first = gradient;
  VitWeights second = gradient;
  gradient.norm.beta[1] = INFINITY;
  std::vector<LearningSlot> slots;
  const auto w = weight_slots(weights), g = weight_slots(gradient), m = weight_slots(first),
             v = weight_slots(second);
  for (std::size_t i = 0; i < w.size(); ++i)
    slots.push_back({w[i], g[i], m[i], v[i], i > 0 ? 0U : 1U, {}});
  ThreadPool pool(2);
  const AdamwScalars of_groups[] = {adamw_scalars({}, 0.5, 1),
                                    adamw_scalars({.weight_decay = 0}, 0.5, 1)};
  EXPECT_EQ(adamw_step({best_kernels(), pool}, slots, of_groups), "norm.bias");
  EXPECT_EQ(weights.class_token[0], 1.5F);  // its group does not decay
  EXPECT_EQ(weights.norm.gamma[0], static_cast<float>(1 - 0.5 * 0.01));
}

TEST(AddWeights, AddsEveryArray) {
  VitWeights sum = some_weights();
  VitWeights more = some_weights();
  ThreadPool pool(2);
  add_weights({best_kernels(), pool}, more, sum);
  EXPECT_EQ(sum.class_token[4], 3);
  EXPECT_EQ(sum.norm.beta[2], 12);
  EXPECT_EQ(sum.patches.matrix.tile(0)[1], 0.75F);  // row 1, element 0
}

}  // namespace
}  // namespace samebits
