#include "samebits/rng/cpu_generator.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

constexpr std::size_t kShift = 397;
constexpr std::uint32_t kMatrix = 0x9908b0df, kUpper = 0x80000000, kLower = 0x7fffffff;

/// The layout of torch's state, little-endian, with C's padding.
struct StateLayout {
  static constexpr std::size_t kSeed = 0, kLeft = 8, kSeeded = 12, kNext = 16, kWords = 24,
                               kNormalY = 5024, kNormalValid = 5040, kFloat = 5048,
                               kFloatValid = 5052, kSize = 5056;
};

std::uint32_t twist(std::uint32_t u, std::uint32_t v) {
  const std::uint32_t mixed = (u & kUpper) | (v & kLower);
  return (mixed >> 1) ^ ((v & 1) != 0 ? kMatrix : 0);
}

template <class T>
void put(std::vector<std::uint8_t>& state, std::size_t at, T value) {
  std::memcpy(state.data() + at, &value, sizeof(T));
}

template <class T>
T get(Bytes state, std::size_t at) {
  T value;
  std::memcpy(&value, state.data() + at, sizeof(T));
  return value;
}

}  // namespace

void CpuGenerator::manual_seed(std::uint64_t seed) {
  seed_ = seed;
  words_[0] = static_cast<std::uint32_t>(seed);
  for (std::size_t i = 1; i < kWords; ++i) {
    words_[i] =
        1812433253U * (words_[i - 1] ^ (words_[i - 1] >> 30)) + static_cast<std::uint32_t>(i);
  }
  left_ = 1;
  next_ = 0;
  kept_.reset();
  kept_float_.reset();
}

void CpuGenerator::advance() {
  for (std::size_t i = 0; i < kWords; ++i) {
    words_[i] = words_[(i + kShift) % kWords] ^ twist(words_[i], words_[(i + 1) % kWords]);
  }
  left_ = kWords;
  next_ = 0;
}

std::uint32_t CpuGenerator::random() {
  if (--left_ == 0) advance();
  std::uint32_t y = words_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}

std::uint64_t CpuGenerator::random64() {
  const std::uint64_t high = random();
  return (high << 32) | random();
}

float CpuGenerator::uniform_float() { return static_cast<float>(random() & 0xFFFFFF) * 0x1p-24F; }

double CpuGenerator::uniform_double() {
  return static_cast<double>(random64() & ((std::uint64_t{1} << 53) - 1)) * 0x1p-53;
}

double CpuGenerator::normal_double(double mean, double std) {
  const FloatMode contract;
  if (kept_) {
    const double sample = *kept_;
    kept_.reset();
    return sample * std + mean;
  }
  const double u1 = uniform_double();
  const double u2 = uniform_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double theta = 2.0 * std::numbers::pi * u1;
  kept_ = radius * std::sin(theta);
  return radius * std::cos(theta) * std + mean;
}

std::vector<std::uint8_t> CpuGenerator::state() const {
  using Layout = StateLayout;
  std::vector<std::uint8_t> state(Layout::kSize, 0);
  put(state, Layout::kSeed, seed_);
  put(state, Layout::kLeft, static_cast<std::int32_t>(left_));
  put(state, Layout::kSeeded, std::int32_t{1});
  put(state, Layout::kNext, static_cast<std::uint64_t>(next_));
  for (std::size_t i = 0; i < kWords; ++i)
    put(state, Layout::kWords + 8 * i, std::uint64_t{words_[i]});
  if (kept_) put(state, Layout::kNormalY, *kept_);
  put(state, Layout::kNormalValid, std::int32_t{kept_ ? 1 : 0});
  if (kept_float_) put(state, Layout::kFloat, *kept_float_);
  put(state, Layout::kFloatValid, static_cast<std::uint8_t>(kept_float_ ? 1 : 0));
  return state;
}

Result<void> CpuGenerator::set_state(Bytes state) {
  using Layout = StateLayout;
  if (state.size() != Layout::kSize) {
    return fail({.code = ErrorCode::malformed,
                 .what = "a state of torch's CPU generator has another size",
                 .expected = std::to_string(Layout::kSize) + " bytes",
                 .found = std::to_string(state.size())});
  }
  const auto left = get<std::int32_t>(state, Layout::kLeft);
  const auto next = get<std::uint64_t>(state, Layout::kNext);
  // Where all words are used up, none is left but the next draw, which makes new ones.
  const bool consistent = left >= 1 && static_cast<std::uint64_t>(left) <= kWords &&
                          next <= kWords && static_cast<std::uint64_t>(left) + next <= kWords + 1 &&
                          get<std::int32_t>(state, Layout::kSeeded) == 1;
  if (!consistent) {
    return fail({.code = ErrorCode::malformed,
                 .what = "a state of torch's CPU generator contradicts itself"});
  }
  seed_ = get<std::uint64_t>(state, Layout::kSeed);
  left_ = static_cast<std::uint32_t>(left);
  next_ = static_cast<std::size_t>(next);
  for (std::size_t i = 0; i < kWords; ++i)
    words_[i] = static_cast<std::uint32_t>(get<std::uint64_t>(state, Layout::kWords + 8 * i));
  kept_.reset();
  kept_float_.reset();
  if (get<std::int32_t>(state, Layout::kNormalValid) != 0)
    kept_ = get<double>(state, Layout::kNormalY);
  if (get<std::uint8_t>(state, Layout::kFloatValid) != 0)
    kept_float_ = get<float>(state, Layout::kFloat);
  return {};
}

}  // namespace samebits
