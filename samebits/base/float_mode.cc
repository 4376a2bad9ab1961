#include "samebits/base/float_mode.h"

#include <cstdint>

#include "samebits/base/error.h"

namespace samebits {
namespace {

/// Whether the thread is in the mode of FE_DFL_ENV, exception flags apart.
bool is_default() {
#if defined(__x86_64__)
  constexpr std::uint32_t kFlags = 0x3F;       // of MXCSR: the only bits that are no mode
  constexpr std::uint16_t kX87Modes = 0x0F3F;  // rounding, precision, masks
  constexpr std::uint16_t kX87Default = 0x033F;
  std::uint16_t x87 = 0;
  __asm__ volatile("fnstcw %0" : "=m"(x87));  // the C library's strtod() looks there
  return (__builtin_ia32_stmxcsr() & ~kFlags) == 0x1F80 && (x87 & kX87Modes) == kX87Default;
#elif defined(__aarch64__)
  std::uint64_t control = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control == 0;
#else
  return false;
#endif
}

}  // namespace

FloatMode::FloatMode() : changed_(!is_default()) {
  if (!changed_) return;
  SAMEBITS_CHECK(std::fegetenv(&callers_) == 0 && std::fesetenv(FE_DFL_ENV) == 0);
}

FloatMode::~FloatMode() {
  if (changed_) std::fesetenv(&callers_);
}

}  // namespace samebits
