// For functions_test.py: the largest error of exp, erf and tanh in units in the last place, over
// every float32 between the given bounds, or, with an argument N, over 4096 of every N times 4096.
// Prints "NAME WORST AT" for each.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "samebits/base/parallel.h"
#include "samebits/base/thread_pool.h"
#include "samebits/kernels/kernel_table.h"

namespace {

struct Worst {
  double ulps = 0;
  float at = 0;
};

/// Distance of `found` from `exact` in units in the last place of the float32 at `exact`.
double ulps(float found, double exact) {
  const int exponent = std::max(exact == 0 ? -126 : std::ilogb(exact), -126);
  return std::fabs(static_cast<double>(found) - exact) / std::ldexp(1.0, exponent - 23);
}

std::uint32_t every = 1;  // of so many blocks of floats one is tried

/// Of the floats with the bits [first, last).
Worst worst_of(void (*own)(float*, std::size_t), double (*exact)(double), std::uint32_t first,
               std::uint32_t last) {
  constexpr std::uint32_t kBlock = 4096;
  Worst worst;
  std::vector<float> x;
  for (std::uint64_t block = first; block < last; block += std::uint64_t{kBlock} * every) {
    x.clear();
    const std::uint64_t end = std::min<std::uint64_t>(last, block + kBlock);
    for (std::uint64_t bits = block; bits < end; ++bits)
      x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    own(x.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float at = std::bit_cast<float>(static_cast<std::uint32_t>(block + i));
      const double error = ulps(x[i], exact(static_cast<double>(at)));
      if (error > worst.ulps) worst = {error, at};
    }
  }
  return worst;
}

/// Over all floats of one sign up to `limit`.
void add(void (*own)(float*, std::size_t), double (*exact)(double), float limit, Worst* worst) {
  constexpr std::uint32_t kParts = 256;
  const std::uint32_t sign = limit < 0 ? 0x80000000U : 0;
  const std::uint64_t count = std::bit_cast<std::uint32_t>(std::fabs(limit)) + std::uint64_t{1};
  std::vector<Worst> found(kParts);
  samebits::ThreadPool pool(samebits::available_threads());
  pool.run(kParts, [&](std::size_t part) {
    found[part] = worst_of(own, exact, sign + static_cast<std::uint32_t>(count * part / kParts),
                           sign + static_cast<std::uint32_t>(count * (part + 1) / kParts));
  });
  for (const Worst& each : found) {
    if (each.ulps > worst->ulps) *worst = each;
  }
}

void print(const char* name, const Worst& worst) {
  std::printf("%s %.4f %a\n", name, worst.ulps, static_cast<double>(worst.at));
}

}  // namespace

int main(int count, char** words) {
  if (count > 1) every = static_cast<std::uint32_t>(std::max(1, std::atoi(words[1])));
  const samebits::KernelTable& kernels = samebits::best_kernels();
  Worst exp;
  Worst erf;
  Worst tanh;
  add(kernels.exp, [](double x) { return std::exp(x); }, 88.72F, &exp);
  add(kernels.exp, [](double x) { return std::exp(x); }, -104.0F, &exp);
  print("exp", exp);
  add(kernels.erf, [](double x) { return std::erf(x); }, 6.0F, &erf);
  add(kernels.erf, [](double x) { return std::erf(x); }, -6.0F, &erf);
  print("erf", erf);
  add(kernels.tanh, [](double x) { return std::tanh(x); }, 12.0F, &tanh);
  add(kernels.tanh, [](double x) { return std::tanh(x); }, -12.0F, &tanh);
  print("tanh", tanh);
  return 0;
}
