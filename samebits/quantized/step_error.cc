#include "samebits/quantized/step_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "samebits/base/parallel.h"
#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

constexpr std::uint64_t kStepRun = 1 << 14;
constexpr std::uint64_t kStepPart = 1 << 20;  // of one thread

/// Steps, and how many of them rounding can leave.
struct Distance {
  double steps, allowed;
};

Distance distance_to(double number, const DecodedRun& run, std::uint64_t i, double unit) {
  const double off = number - run.unrounded[i];
  const double gap = off > 0 ? run.up[i] : run.down[i];
  const double steps = off == 0 ? 0 : std::fabs(off) / gap;
  return {std::isnan(steps) ? std::numeric_limits<double>::infinity() : steps,
          gap > 0 ? kOneRounding + (unit * run.blurred[i] + run.slack[i]) / gap : kOneRounding};
}

/// The rounding error of a type in which numbers or quotients were held, relative to them.
double unit_of(DType type) {
  return type == DType::bfloat16 ? 0x1p-8 : type == DType::float16 ? 0x1p-11 : 0;
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

std::size_t parts_of(std::uint64_t elements) {
  return static_cast<std::size_t>((elements + kStepPart - 1) / kStepPart);
}

/// Calls use(first, count) for the runs of one part.
template <class Use>
void for_each_run(std::uint64_t elements, std::size_t part, Use use) {
  const std::uint64_t end = std::min(elements, (part + 1) * kStepPart);
  for (std::uint64_t first = part * kStepPart; first < end; first += kStepRun)
    use(first, std::min(kStepRun, end - first));
}

StepError error_of_part(const QuantizedWeight& weight, const TensorView& numbers,
                        std::size_t part) {
  const double unit = std::max(unit_of(weight.result), unit_of(numbers.dtype()));
  StepError error;
  NumberBlock block;
  DecodedRun run;
  for_each_run(numbers.numel(), part, [&](std::uint64_t first, std::uint64_t count) {
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

CodeDifference difference_of_part(const QuantizedWeight& a, const QuantizedWeight& b,
                                  std::size_t part) {
  CodeDifference difference;
  DecodedRun run_a, run_b;
  for_each_run(a.numel(), part, [&](std::uint64_t first, std::uint64_t count) {
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

}  // namespace

std::optional<StepError> step_error(const QuantizedWeight& weight, const TensorView& numbers,
                                    int threads) {
  if (info(numbers.dtype()).family != DTypeFamily::floating ||
      !has_element_values(numbers.dtype()) || weight.shape != numbers.shape())
    return std::nullopt;
  std::vector<StepError> parts(parts_of(numbers.numel()));
  parallel_for(parts.size(), threads,
               [&](std::size_t i) { parts[i] = error_of_part(weight, numbers, i); });
  StepError error{.elements = numbers.numel()};
  for (const StepError& part : parts) {
    error.steps = std::max(error.steps, part.steps);
    error.beyond += part.beyond;
    error.unequal += part.unequal;
    error.squared_error += part.squared_error;
    error.squared_norm += part.squared_norm;
  }
  return error;
}

std::optional<CodeDifference> code_difference(const QuantizedWeight& a, const QuantizedWeight& b,
                                              int threads) {
  if (a.shape != b.shape) return std::nullopt;
  std::vector<CodeDifference> parts(parts_of(a.numel()));
  parallel_for(parts.size(), threads,
               [&](std::size_t i) { parts[i] = difference_of_part(a, b, i); });
  CodeDifference difference;
  difference.scales = a.scales != b.scales || a.zeros != b.zeros;
  difference.tables = !std::ranges::equal(a.values.value, b.values.value, same_number);
  for (const CodeDifference& part : parts) {
    difference.codes += part.codes;
    difference.numbers += part.numbers;
    difference.squared_change += part.squared_change;
    difference.squared_norm += part.squared_norm;
  }
  return difference;
}

}  // namespace samebits
