#include "samebits/quantized/step_error.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::uint64_t kStepRun = 1 << 14;

/// Steps, and how many of them rounding can leave.
struct Distance {
  double steps, allowed;
};

Distance distance_to(double number, const DecodedRun& run, std::uint64_t i, double unit) {
  const double off = number - run.unrounded[i];
  const double gap = off > 0 ? run.up[i] : run.down[i];
  const double steps = off == 0 ? 0 : std::fabs(off) / gap;
  return {std::isnan(steps) ? std::numeric_limits<double>::infinity() : steps,
          gap > 0 ? kOneRounding + unit * run.blurred[i] / gap : kOneRounding};
}

/// The rounding error of a type in which numbers or quotients were held, relative to them.
double unit_of(DType type) {
  return type == DType::bfloat16 ? 0x1p-8 : type == DType::float16 ? 0x1p-11 : 0;
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Calls use(first, count) for runs of all elements.
template <class Use>
void for_each_run(std::uint64_t elements, Use use) {
  for (std::uint64_t first = 0; first < elements; first += kStepRun)
    use(first, std::min(kStepRun, elements - first));
}

}  // namespace

std::optional<StepError> step_error(const QuantizedWeight& weight, const TensorView& numbers) {
  if (info(numbers.dtype()).family != DTypeFamily::floating ||
      !has_element_values(numbers.dtype()) || weight.shape != numbers.shape())
    return std::nullopt;
  const double unit = std::max(unit_of(weight.result), unit_of(numbers.dtype()));
  StepError error{.elements = numbers.numel()};
  NumberBlock block;
  DecodedRun run;
  for_each_run(error.elements, [&](std::uint64_t first, std::uint64_t count) {
    block.load(numbers, first, count);
    weight.read(first, count, run);
    for (std::uint64_t i = 0; i < count; ++i) {
      const double number = block.numbers()[i];
      const Distance distance = distance_to(number, run, i, unit);
      error.steps = std::max(error.steps, distance.steps);
      if (!(distance.steps <= distance.allowed)) ++error.beyond;
      if (!same_number(number, run.numbers[i])) ++error.unequal;
      const double off = number - run.unrounded[i];
      error.squared_error += off * off;
      error.squared_norm += number * number;
    }
  });
  return error;
}

std::optional<CodeDifference> code_difference(const QuantizedWeight& a, const QuantizedWeight& b) {
  if (a.shape != b.shape) return std::nullopt;
  CodeDifference difference;
  difference.scales = a.scales != b.scales || a.zeros != b.zeros;
  difference.tables = !std::ranges::equal(a.values.value, b.values.value, same_number);
  DecodedRun run_a, run_b;
  for_each_run(a.numel(), [&](std::uint64_t first, std::uint64_t count) {
    a.read(first, count, run_a);
    b.read(first, count, run_b);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (run_a.codes[i] != run_b.codes[i]) ++difference.codes;
      if (!same_number(run_a.numbers[i], run_b.numbers[i])) ++difference.numbers;
      const double off = run_b.numbers[i] - run_a.numbers[i];
      difference.squared_change += off * off;
      difference.squared_norm += run_a.numbers[i] * run_a.numbers[i];
    }
  });
  return difference;
}

}  // namespace samebits
