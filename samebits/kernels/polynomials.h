// Coefficients of the engine's elementary functions, the same for the definition and the kernels.
//
// Weighted minimax fits, made by tools/fit_polynomials.py; float32 constants as hexadecimal floats.
#pragma once

#include <array>

namespace samebits {

inline constexpr float kLog2E = 0x1.715476p+0F;
inline constexpr float kLn2High = 0x1.62e4p-1F;  // few bits: n * kLn2High is exact
inline constexpr float kLn2Low = 0x1.7f7d1cp-20F;
inline constexpr float kRound = 0x1.8p23F;  // x + kRound - kRound is x rounded to an integer
inline constexpr float kExpLowest = -104.0F;
inline constexpr float kExpHighest = 0x1.62e42ep6F;  // of a finite result

/// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, ascending powers of r.
inline constexpr std::array<float, 5> kExp = {0x1.000000p-1F, 0x1.5554dcp-3F, 0x1.5554b8p-5F,
                                              0x1.120b72p-7F, 0x1.6d7546p-10F};
inline constexpr float kErfSplit = 0.92F;
inline constexpr float kErfOne = 4.0F;  // from here on erf rounds to 1
/// erf(x) / x - 1 for |x| < kErfSplit, ascending powers of x^2.
inline constexpr std::array<float, 7> kErfSmall = {
    0x1.06eba8p-3F, -0x1.812744p-2F,  0x1.ce2e34p-4F, -0x1.b8122ap-6F,
    0x1.54ea6ap-8F, -0x1.ab6eb8p-11F, 0x1.60bcd6p-14F};
/// log(erfc(x)) for kErfSplit <= x <= kErfOne, ascending powers of x.
inline constexpr std::array<float, 8> kErfLarge = {
    0x1.70551ep-13F, -0x1.212834p+0F, -0x1.4444bep-1F, -0x1.bb8fc4p-4F,
    0x1.9bae34p-6F,  -0x1.118c74p-8F, 0x1.c839d0p-12F, -0x1.62da3ep-16F};

inline constexpr float kTanhSplit = 0.6F;
inline constexpr float kTanhOne = 9.02F;  // from here on tanh rounds to 1
/// tanh(x) / x - 1 for |x| < kTanhSplit, ascending powers of x^2.
inline constexpr std::array<float, 6> kTanhSmall = {-0x1.43e84ep-29F, -0x1.555534p-2F,
                                                    0x1.1108a8p-3F,   -0x1.b87fbcp-5F,
                                                    0x1.5430cap-6F,   -0x1.804070p-8F};

inline constexpr float kGeluCubic = 0.044715F;
inline constexpr float kSqrt2OverPi = 0x1.988454p-1F;
inline constexpr float kQuickGelu = 1.702F;
inline constexpr float kInverseSqrt2Pi = 0x1.988454p-2F;
inline constexpr float kInverseSqrt2 = 0x1.6a09e6p-1F;

}  // namespace samebits
