// Learning rates of steps: computed in double from the number of the step alone, so that a training
// that is resumed has the same ones.
//
// Source: get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup and
// get_linear_schedule_with_warmup of transformers/optimization.py (5.24.0).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace samebits {

struct Schedule {
  enum class Kind : std::uint8_t { constant, cosine, linear };
  Kind kind = Kind::constant;
  std::uint64_t warmup = 0;  // steps in which the rate rises from 0
  std::uint64_t steps = 0;   // of the whole training; a constant rate does not ask

  /// The factor of the learning rate in step `step`, counted from 0.
  double factor(std::uint64_t step) const;
};

const char* schedule_name(Schedule::Kind kind);  // "cosine"
std::optional<Schedule::Kind> schedule_from_name(std::string_view name);
std::vector<std::string> schedule_names();

/// cos(pi x) for 0 <= x <= 1, within 2 ULP of 1: no C library in a result.
double cosine_of_half_turns(double x);
/// base^n for 0 <= base < 1: computed with twice the digits of a double, and rounded once.
double power(double base, std::uint64_t n);

}  // namespace samebits
