// torch's CPU generator: MT19937 and the normal samples that it keeps for later.
//
// Source: aten/src/ATen/CPUGeneratorImpl.cpp, ATen/core/MT19937RNGEngine.h of torch 2.13; checked
// against torch itself in tests/parity/rng_test.py.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

class CpuGenerator {
 public:
  /// torch's default seed, which a program has that never calls manual_seed().
  static constexpr std::uint64_t kDefaultSeed = 67280421310721;

  explicit CpuGenerator(std::uint64_t seed = kDefaultSeed) { manual_seed(seed); }

  /// torch.manual_seed(): the low 32 bits seed the engine; kept normal samples are forgotten.
  void manual_seed(std::uint64_t seed);
  std::uint64_t initial_seed() const { return seed_; }

  std::uint32_t random();
  std::uint64_t random64();  // the first of two draws is the high half

  /// Uniform in [0, 1): one draw, 24 bits; two draws, 53 bits.
  float uniform_float();
  double uniform_double();

  /// One normal sample by Box and Muller in double; the second of each pair is kept for the next
  /// call. Uses the C library's log1p, sin and cos, as torch does.
  double normal_double(double mean, double std);

  /// The bytes of torch.get_rng_state() (5056).
  std::vector<std::uint8_t> state() const;
  /// torch.set_rng_state(). Errors: malformed.
  Result<void> set_state(Bytes state);

 private:
  static constexpr std::size_t kWords = 624;
  void advance();

  std::uint64_t seed_ = 0;
  std::array<std::uint32_t, kWords> words_{};
  std::size_t next_ = 0;
  std::uint32_t left_ = 1;
  std::optional<double> kept_;
  std::optional<float> kept_float_;  // only carried from state to state
};

}  // namespace samebits
