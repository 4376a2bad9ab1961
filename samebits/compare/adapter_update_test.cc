#include "samebits/compare/adapter_update.h"

#include <gmock/gmock.h>

#include <functional>

#include "samebits/compare/test_weights.h"

namespace samebits {
namespace {

class AdapterUpdate : public testing::Test {
 protected:
  using Element = std::function<float(std::size_t, std::size_t)>;

  TensorView view(Shape shape, const Element& element) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < shape[0]; ++i)
      for (std::int64_t j = 0; j < shape[1]; ++j)
        values.push_back(element(static_cast<std::size_t>(i), static_cast<std::size_t>(j)));
    made_.add("t" + std::to_string(count_++), std::move(shape), values);
    return made_.set().tensors().back().view;
  }
  TensorView random(Shape shape) {
    made_.random("t" + std::to_string(count_), std::move(shape), count_ + 1);
    ++count_;
    return made_.set().tensors().back().view;
  }
  static float at(const TensorView& view, std::size_t i, std::size_t j) {
    float value = 0;
    std::memcpy(&value,
                view.plain_bytes().data() + 4 * (i * static_cast<std::size_t>(view.shape()[1]) + j),
                4);
    return value;
  }
  static float product(const TensorView& up, const TensorView& down, std::size_t i, std::size_t j) {
    float sum = 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(down.shape()[0]); ++k)
      sum += at(up, i, k) * at(down, k, j);
    return sum;
  }
  TestWeights made_;
  std::uint32_t count_ = 0;
};

TEST_F(AdapterUpdate, LoraIsFoundWithItsScale) {
  const TensorView base = random({12, 10}), down = random({2, 10}), up = random({12, 2});
  const TensorView merged = view({12, 10}, [&](std::size_t i, std::size_t j) {
    return at(base, i, j) + 2 * product(up, down, i, j);
  });
  const AdapterFactors factors{{"lora_A", down}, {"lora_B", up}};
  const auto fit = fit_update(base, merged, factors);
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->rounding);
  EXPECT_NEAR(fit->scale, 2, 1e-5);
  EXPECT_LT(fit->residual, 1e-6);
  EXPECT_NEAR(fit_update(merged, base, factors)->scale, -2, 1e-5);
}

TEST_F(AdapterUpdate, ATransposedLayerIsFound) {
  const TensorView base = random({10, 12}), down = random({2, 10}), up = random({12, 2});
  const TensorView merged = view({10, 12}, [&](std::size_t i, std::size_t j) {
    return at(base, i, j) + product(up, down, j, i);
  });
  const auto fit = fit_update(base, merged, {{"lora_A", down}, {"lora_B", up}});
  ASSERT_TRUE(fit && fit->rounding);
  EXPECT_NEAR(fit->scale, 1, 1e-5);
}

TEST_F(AdapterUpdate, OtherFactorsExplainNothing) {
  const TensorView base = random({12, 10}), down = random({2, 10}), up = random({12, 2});
  const TensorView other = random({2, 10});
  const TensorView merged = view({12, 10}, [&](std::size_t i, std::size_t j) {
    return at(base, i, j) + product(up, down, i, j);
  });
  const auto fit = fit_update(base, merged, {{"lora_A", other}, {"lora_B", up}});
  EXPECT_FALSE(fit && fit->rounding);
  EXPECT_FALSE(fit_update(base, merged, {{"lora_A", up}, {"lora_B", down}}));
  EXPECT_FALSE(fit_update(base, merged, {{"hra_u", down}}));
}

TEST_F(AdapterUpdate, EveryRowIsComputed) {
  const TensorView base = random({500, 10}), down = random({2, 10}), up = random({500, 2});
  const AdapterFactors factors{{"lora_A", down}, {"lora_B", up}};
  const auto merged = [&](std::size_t broken) {
    return view({500, 10}, [&, broken](std::size_t i, std::size_t j) {
      return at(base, i, j) + product(up, down, i, j) + (i == broken ? 0.25F : 0.0F);
    });
  };
  EXPECT_TRUE(fit_update(base, merged(1000), factors)->rounding);
  EXPECT_FALSE(fit_update(base, merged(317), factors)->rounding);
}

TEST_F(AdapterUpdate, LohaAndLokrAreFound) {
  const TensorView base = random({6, 4});
  const TensorView a1 = random({6, 2}), b1 = random({2, 4}), a2 = random({6, 2}),
                   b2 = random({2, 4});
  const TensorView loha = view({6, 4}, [&](std::size_t i, std::size_t j) {
    return at(base, i, j) + 3 * product(a1, b1, i, j) * product(a2, b2, i, j);
  });
  const auto fit = fit_update(
      base, loha, {{"hada_w1_a", a1}, {"hada_w1_b", b1}, {"hada_w2_a", a2}, {"hada_w2_b", b2}});
  ASSERT_TRUE(fit && fit->rounding);
  EXPECT_NEAR(fit->scale, 3, 1e-4);
  const TensorView w1 = random({2, 2}), w2 = random({3, 2});
  const TensorView lokr = view({6, 4}, [&](std::size_t i, std::size_t j) {
    return at(base, i, j) + at(w1, i / 3, j / 2) * at(w2, i % 3, j % 2);
  });
  const auto kron = fit_update(base, lokr, {{"lokr_w1", w1}, {"lokr_w2", w2}});
  ASSERT_TRUE(kron && kron->rounding);
  EXPECT_NEAR(kron->scale, 1, 1e-5);
}

TEST_F(AdapterUpdate, Ia3ScalesRowsOrColumns) {
  const TensorView base = random({6, 4}), rows = random({6, 1}), columns = random({1, 4});
  const TensorView by_row =
      view({6, 4}, [&](std::size_t i, std::size_t j) { return at(base, i, j) * at(rows, i, 0); });
  const TensorView by_column = view(
      {6, 4}, [&](std::size_t i, std::size_t j) { return at(base, i, j) * at(columns, 0, j); });
  EXPECT_TRUE(fit_update(base, by_row, {{"ia3_l", rows}})->rounding);
  EXPECT_TRUE(fit_update(base, by_column, {{"ia3_l", columns}})->rounding);
  EXPECT_FALSE(fit_update(base, by_column, {{"ia3_l", rows}})->rounding);
}

TEST_F(AdapterUpdate, AdaloraScalesItsRows) {
  const TensorView base = random({12, 10}), down = random({2, 10}), up = random({12, 2});
  const TensorView scales = random({2, 1});
  const TensorView merged = view({12, 10}, [&](std::size_t i, std::size_t j) {
    return at(base, i, j) + at(up, i, 0) * at(scales, 0, 0) * at(down, 0, j) +
           at(up, i, 1) * at(scales, 1, 0) * at(down, 1, j);
  });
  const auto fit = fit_update(base, merged, {{"lora_A", down}, {"lora_B", up}, {"lora_E", scales}});
  ASSERT_TRUE(fit && fit->rounding);
  EXPECT_NEAR(fit->scale, 1, 1e-4);
}

TEST_F(AdapterUpdate, ANormalizedUpdateIsNotComputed) {
  const TensorView base = random({12, 10}), down = random({2, 10}), up = random({12, 2});
  const AdapterFactors factors{
      {"lora_A", down}, {"lora_B", up}, {"lora_magnitude_vector", random({12, 1})}};
  EXPECT_FALSE(fit_update(base, random({12, 10}), factors));
}

}  // namespace
}  // namespace samebits
