#include "samebits/compare/exact_number.h"

#include <cmath>
#include <cstring>
#include <optional>

namespace samebits {
namespace {

struct SizedInteger {
  bool negative = false;
  std::uint64_t size = 0;
  bool operator==(const SizedInteger&) const = default;
};

// Nothing where it is no integer of 64 bits and a sign.
std::optional<SizedInteger> as_integer(const ExactNumber& x) {
  if (x.wide) return SizedInteger{x.negative, x.size};
  if (!(std::fabs(x.value) < 0x1p64) || std::trunc(x.value) != x.value) return std::nullopt;
  return SizedInteger{x.value < 0, static_cast<std::uint64_t>(std::fabs(x.value))};
}

}  // namespace

ExactNumber exact_number(DType type, const std::uint8_t* p) {
  ExactNumber number{.value = element_as_double(type, p)};
  number.wide = type == DType::int64 || type == DType::uint64;
  if (!number.wide) return number;
  std::memcpy(&number.size, p, sizeof(number.size));
  number.negative = type == DType::int64 && (number.size >> 63) != 0;
  if (number.negative) number.size = ~number.size + 1;
  return number;
}

bool equal_numbers(const ExactNumber& x, const ExactNumber& y) {
  if (!x.wide && !y.wide) return x.value == y.value || (std::isnan(x.value) && std::isnan(y.value));
  const auto a = as_integer(x);
  const auto b = as_integer(y);
  return a && b && *a == *b;
}

double distance(const ExactNumber& x, const ExactNumber& y) {
  if (!x.wide && !y.wide) return std::fabs(x.value - y.value);
  const auto a = as_integer(x);
  const auto b = as_integer(y);
  if (!a || !b) return std::fabs(x.value - y.value);
  if (a->negative != b->negative)
    return static_cast<double>(a->size) + static_cast<double>(b->size);
  return static_cast<double>(a->size > b->size ? a->size - b->size : b->size - a->size);
}

}  // namespace samebits
