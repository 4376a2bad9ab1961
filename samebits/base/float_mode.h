// The floating-point mode in which results are computed, whatever the caller's.
//
// A library that was built with -ffast-math makes every thread that loads it flush subnormal
// numbers to zero; other programs choose another direction of rounding or let exceptions trap. None
// of that may move a bit of a result, and none of it is ours to change for good.
#pragma once

#include <cfenv>
#include <cfloat>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error "results are defined to the last bit: build without -ffast-math and all parts of it"
#endif
static_assert(FLT_EVAL_METHOD == 0,
              "floats must be computed as floats, not by the x87: build with -mfpmath=sse");

namespace samebits {

/// While it lives, its thread rounds to nearest even, keeps subnormal numbers and traps nothing;
/// then the caller's mode is as it was, exception flags included. Costs nanoseconds where the mode
/// is right already.
class FloatMode {
 public:
  // Not inlined: the compiler, which knows nothing of modes, moves no arithmetic across a call.
  [[gnu::noinline]] FloatMode();
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;
  [[gnu::noinline]] ~FloatMode();

 private:
  bool changed_;
  std::fenv_t callers_;
};

}  // namespace samebits
