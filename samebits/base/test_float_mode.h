// For tests: a caller's mode that would move bits.
#pragma once

#include <cfenv>
#include <cstdint>

namespace samebits {

/// While it lives, its thread rounds toward zero and flushes subnormal numbers to zero, those that
/// it reads too; where the processor cannot, as much of it as it can.
class OddFloatMode {
 public:
  OddFloatMode() {
    std::fegetenv(&before_);
    std::fesetround(FE_TOWARDZERO);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | kFlushes);
#elif defined(__aarch64__)
    set_control(control() | kFlushes);
#endif
  }
  OddFloatMode(const OddFloatMode&) = delete;
  OddFloatMode& operator=(const OddFloatMode&) = delete;
  ~OddFloatMode() { std::fesetenv(&before_); }

  /// Whether the mode is still that.
  bool holds() const {
    bool flushes = true;
#if defined(__x86_64__)
    flushes = (__builtin_ia32_stmxcsr() & kFlushes) == kFlushes;
#elif defined(__aarch64__)
    flushes = (control() & kFlushes) == kFlushes;
#endif
    return flushes && std::fegetround() == FE_TOWARDZERO;
  }

 private:
#if defined(__aarch64__)
  static constexpr std::uint64_t kFlushes = 1U << 24;  // FZ
  static std::uint64_t control() {
    std::uint64_t value = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(std::uint64_t value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
  static constexpr std::uint32_t kFlushes = 0x8040;  // FTZ and DAZ
#endif
  std::fenv_t before_{};
};

}  // namespace samebits
