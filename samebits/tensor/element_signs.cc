#include "samebits/tensor/element_signs.h"

#include <cstring>

#include "samebits/base/error.h"

namespace samebits {
namespace {

// One byte in `step` has the sign bit of a number: the last.
void flip(std::span<std::uint8_t> bytes, std::uint64_t first, std::uint64_t step) {
  for (std::uint64_t i = first; i < bytes.size(); i += step) bytes[i] ^= 0x80;
}

template <class T>
void negate_integers(std::span<std::uint8_t> bytes) {
  for (std::uint64_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + i, sizeof(T));
    value = static_cast<T>(T{0} - value);
    std::memcpy(bytes.data() + i, &value, sizeof(T));
  }
}

bool is_negatable_integer(DType dtype) {
  switch (dtype) {
    case DType::uint8:
    case DType::int8:
    case DType::int16:
    case DType::int32:
    case DType::int64: return true;
    default: return false;
  }
}

void negate(DType dtype, std::span<std::uint8_t> bytes) {
  if (!is_negatable_integer(dtype)) {
    const std::uint64_t size = component_size(dtype);
    return flip(bytes, size - 1, size);
  }
  switch (itemsize(dtype)) {
    case 1: return negate_integers<std::uint8_t>(bytes);
    case 2: return negate_integers<std::uint16_t>(bytes);
    case 4: return negate_integers<std::uint32_t>(bytes);
    default: return negate_integers<std::uint64_t>(bytes);
  }
}

}  // namespace

std::uint64_t component_size(DType dtype) {
  return itemsize(dtype) / (info(dtype).family == DTypeFamily::complex ? 2 : 1);
}

bool has_negatives(DType dtype) {
  switch (dtype) {
    case DType::float64:
    case DType::float32:
    case DType::float16:
    case DType::bfloat16:
    case DType::complex128:
    case DType::complex64:
    case DType::complex32: return true;
    default: return is_negatable_integer(dtype);
  }
}

void turn_signs(DType dtype, bool conjugated, bool negated, std::span<std::uint8_t> bytes) {
  SAMEBITS_CHECK(!conjugated || info(dtype).family == DTypeFamily::complex);
  SAMEBITS_CHECK(!negated || has_negatives(dtype));
  if (negated) negate(dtype, bytes);
  if (conjugated) flip(bytes, itemsize(dtype) - 1, itemsize(dtype));
}

}  // namespace samebits
