// For tests only: numbers, the comparison of bits, and a test for each instruction set.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "samebits/kernels/kernel_table.h"

namespace samebits::kernel_case {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

inline std::vector<float> numbers(std::size_t count, std::uint32_t seed, float scale = 1) {
  std::vector<float> values(count);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (float& value : values) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    value = (static_cast<float>(static_cast<double>(state >> 40) / (1 << 24)) - 0.5F) * scale;
  }
  return values;
}

// Equal bits; NaN equals NaN, whichever.
inline void expect_equal(const std::vector<float>& found, const std::vector<float>& wanted,
                         const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(found[i]) && std::isnan(wanted[i])) continue;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(found[i]), std::bit_cast<std::uint32_t>(wanted[i]))
        << what << " at " << i << ": " << found[i] << ", not " << wanted[i];
  }
}

class KernelCase : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    table_ = kernel_table(GetParam());
    ASSERT_EQ(table_->isa, GetParam());  // the one that is asked for is the one that runs
  }
  const KernelTable* table_ = nullptr;
};

inline std::vector<Isa> available() {
  std::vector<Isa> found;
  for (const Isa isa : built_isas()) {
    if (kernel_table(isa) != nullptr) found.push_back(isa);
  }
  return found;
}

}  // namespace samebits::kernel_case
