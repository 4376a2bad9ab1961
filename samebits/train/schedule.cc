#include "samebits/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

constexpr std::pair<Schedule::Kind, const char*> kScheduleNames[] = {
    {Schedule::Kind::constant, "constant"},
    {Schedule::Kind::cosine, "cosine"},
    {Schedule::Kind::linear, "linear"}};

/// A number as the sum of two doubles, the second of which is below the last digit of the first.
struct Twofold {
  double high = 0, low = 0;
};

Twofold product(const Twofold& a, const Twofold& b) {
  const double high = a.high * b.high;
  const double rest = std::fma(a.high, b.high, -high) + (a.high * b.low + a.low * b.high);
  const double sum = high + rest;
  return {sum, rest - (sum - high)};
}

/// The alternating series 1 - x^2 / 2! + x^4 / 4! ... or x - x^3 / 3! ..., for |x| <= pi / 4.
double series(double x, int first) {
  double sum = 0;
  for (int k = 20 + first; k > first; k -= 2)
    sum = (sum + 1) * (-(x * x) / static_cast<double>(k * (k - 1)));
  return first == 0 ? sum + 1 : x * sum + x;
}

}  // namespace

double cosine_of_half_turns(double x) {
  const FloatMode contract;
  constexpr double kPi = 0x1.921fb54442d18p+1;
  if (x > 0.5) return -cosine_of_half_turns(1 - x);
  return x <= 0.25 ? series(kPi * x, 0) : series(kPi * (0.5 - x), 1);
}

double power(double base, std::uint64_t n) {
  const FloatMode contract;
  Twofold result = {1, 0};
  Twofold square = {base, 0};
  for (; n > 0; n /= 2) {
    if (n % 2 == 1) result = product(result, square);
    square = product(square, square);
  }
  return result.high + result.low;
}

double Schedule::factor(std::uint64_t step) const {
  const FloatMode contract;
  const auto number = [](std::uint64_t n) { return static_cast<double>(n); };
  if (step < warmup) return number(step) / number(std::max<std::uint64_t>(1, warmup));
  if (kind == Kind::constant) return 1;
  const double length = steps > warmup ? number(steps - warmup) : 1;
  if (kind == Kind::linear) return step < steps ? number(steps - step) / length : 0;
  const double progress = std::min(1.0, number(step - warmup) / length);
  return std::max(0.0, 0.5 * (1.0 + cosine_of_half_turns(progress)));
}

const char* schedule_name(Schedule::Kind kind) {
  for (const auto& [each, name] : kScheduleNames) {
    if (each == kind) return name;
  }
  return "";
}

std::optional<Schedule::Kind> schedule_from_name(std::string_view name) {
  for (const auto& [kind, each] : kScheduleNames) {
    if (name == each) return kind;
  }
  return std::nullopt;
}

std::vector<std::string> schedule_names() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kScheduleNames) names.emplace_back(name);
  return names;
}

}  // namespace samebits
