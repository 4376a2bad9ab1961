// The definition against the mathematics it stands for, in double precision.
#include "samebits/kernels/reference.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

namespace samebits {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The error in units of the last place of the exact value.
double ulps(float found, double exact) {
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(found - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

// Every 4001st float32; all of them were tried when the coefficients were made.
template <class Own, class Exact>
double worst_of(Own own, Exact exact, float low, float high) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4001) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!(x >= low && x <= high)) continue;
    worst = std::max(worst, ulps(own(x), exact(static_cast<double>(x))));
  }
  return worst;
}

TEST(Exp, IsWithinItsBound) {
  EXPECT_LT(worst_of(reference::exp, [](double x) { return std::exp(x); }, -104, 88.72F), 1.1);
}

TEST(Exp, HasItsLimits) {
  EXPECT_EQ(reference::exp(0), 1);
  EXPECT_EQ(reference::exp(-0.0F), 1);
  EXPECT_EQ(reference::exp(-kInfinity), 0);
  EXPECT_EQ(reference::exp(kInfinity), kInfinity);
  EXPECT_EQ(reference::exp(89), kInfinity);
  EXPECT_TRUE(std::isnan(reference::exp(std::nanf(""))));
  EXPECT_GT(reference::exp(-103), 0);  // subnormal
}

TEST(Erf, IsWithinItsBound) {
  EXPECT_LT(worst_of(reference::erf, [](double x) { return std::erf(x); }, -6, 6), 1.2);
}

TEST(Erf, HasItsLimits) {
  EXPECT_EQ(reference::erf(kInfinity), 1);
  EXPECT_EQ(reference::erf(-kInfinity), -1);
  EXPECT_EQ(reference::erf(5), 1);
  EXPECT_TRUE(std::signbit(reference::erf(-0.0F)));
  EXPECT_TRUE(std::isnan(reference::erf(std::nanf(""))));
}

TEST(Tanh, IsWithinItsBound) {
  EXPECT_LT(worst_of(reference::tanh, [](double x) { return std::tanh(x); }, -12, 12), 2);
}

TEST(Tanh, HasItsLimits) {
  EXPECT_EQ(reference::tanh(kInfinity), 1);
  EXPECT_EQ(reference::tanh(-kInfinity), -1);
  EXPECT_TRUE(std::signbit(reference::tanh(-0.0F)));
  EXPECT_TRUE(std::isnan(reference::tanh(std::nanf(""))));
}

TEST(Dot, AddsPanelsFromLeftToRight) {
  // One panel of ones and a small one behind it: a single chain would lose the small products.
  std::vector<float> a(512, 1);
  std::vector<float> b(512, 1);
  for (std::size_t i = 256; i < 512; ++i) b[i] = 0x1p-20F;
  EXPECT_EQ(reference::dot(a.data(), b.data(), 512), 256 + 0x1p-12F);
  EXPECT_EQ(reference::dot(a.data(), b.data(), 0), 0);
}

TEST(Dot, FusesMultiplicationAndAddition) {
  const float a[2] = {1 + 0x1p-12F, -1};
  const float b[2] = {1 + 0x1p-12F, 1 + 0x1p-11F};
  const float fused[2] = {a[1], a[0]};
  const float other[2] = {b[1], b[0]};
  EXPECT_EQ(reference::dot(fused, other, 2), 0x1p-24F);
}

TEST(Sum, HasSixteenPartialsAndATree) {
  std::vector<float> x(17, 0);
  x[0] = 1e8F;
  x[8] = 1;
  x[16] = -1e8F;  // meets x[0] in partial 0 before the tree
  EXPECT_EQ(reference::sum(x.data(), x.size()), 1);
  EXPECT_EQ(reference::sum(x.data(), 0), 0);
}

TEST(LayerNorm, HasMeanZeroAndVarianceOne) {
  const std::vector<float> x = {1, 2, 3, 4};
  const std::vector<float> ones(4, 1);
  const std::vector<float> zeros(4, 0);
  std::vector<float> out(4);
  reference::layer_norm(x.data(), ones.data(), zeros.data(), 0, 1, 4, out.data());
  EXPECT_THAT(out, testing::Pointwise(testing::FloatNear(1e-6F),
                                      {-1.3416408F, -0.4472136F, 0.4472136F, 1.3416408F}));
}

TEST(Softmax, SumsToOneAndKeepsNan) {
  std::vector<float> x = {1, 2, 3};
  reference::softmax(x.data(), 3);
  EXPECT_NEAR(x[0] + x[1] + x[2], 1, 1e-6);
  x = {1, std::nanf(""), 3};
  reference::softmax(x.data(), 3);
  EXPECT_TRUE(std::isnan(x[0]) && std::isnan(x[1]) && std::isnan(x[2]));
}

TEST(Gelu, IsTheErrorFunctionsForm) {
  EXPECT_NEAR(reference::gelu(1), 0.8413447F, 1e-6);
  EXPECT_EQ(reference::gelu(-20), -0.0F);
  EXPECT_EQ(reference::gelu(20), 20);
}

}  // namespace
}  // namespace samebits
