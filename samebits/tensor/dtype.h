// The element types that torch 2.13 and safetensors can store, as one table.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace samebits {

enum class DType : std::uint8_t {
  float64,
  float32,
  float16,
  bfloat16,
  complex128,
  complex64,
  complex32,
  float8_e4m3fn,
  float8_e4m3fnuz,
  float8_e5m2,
  float8_e5m2fnuz,
  float8_e8m0fnu,
  float4_e2m1fn_x2,
  int64,
  int32,
  int16,
  int8,
  uint64,
  uint32,
  uint16,
  uint8,
  boolean,
  qint8,
  quint8,
  qint32,
  quint4x2,
  quint2x4,
  bits8,
  bits16,
  bits1x8,
  bits2x4,
  bits4x2,
  int1,
  int2,
  int3,
  int4,
  int5,
  int6,
  int7,
  uint1,
  uint2,
  uint3,
  uint4,
  uint5,
  uint6,
  uint7,
};

enum class DTypeFamily : std::uint8_t { floating, complex, integer, boolean, quantized, bits };

struct DTypeInfo {
  DType dtype;
  DTypeFamily family;
  std::uint8_t
      itemsize;  // bytes of one element (of one packed pair for *x2, x4, x8), as torch counts
  std::string_view torch;        // "float32", "bool": torch's name without "torch."
  std::string_view safetensors;  // "F32"; "" when that format has no such type
  std::string_view storage;      // legacy storage class, "FloatStorage"; "" when there is none
};

const DTypeInfo& info(DType dtype);

/// "float32", "bool", and torch's aliases ("float", "half", "double", "long", ...), without
/// "torch.".
std::optional<DType> dtype_from_torch(std::string_view name);
/// "F32", "BF16", "F8_E4M3", ...
std::optional<DType> dtype_from_safetensors(std::string_view name);
/// "FloatStorage", "QUInt8Storage", ...
std::optional<DType> dtype_from_storage(std::string_view name);

inline std::uint64_t itemsize(DType dtype) { return info(dtype).itemsize; }
inline bool is_floating(DType dtype) { return info(dtype).family == DTypeFamily::floating; }

/// True where one element is one real number: floating, integer and boolean types, but not the
/// packed float4_e2m1fn_x2 and not the integers of 1 to 7 bits, whose packing torch leaves open.
bool has_element_values(DType dtype);

/// The value of one element as a double, exactly, NaN payloads apart (every float type widens
/// without loss; int64 and uint64 beyond 2^53 round). `p` points at itemsize(dtype) bytes,
/// little-endian. Requires has_element_values(). Source of the 8-bit formats: OCP 8-bit floating
/// point specification 1.0, OCP Microscaling Formats 1.0 (e8m0); the fnuz forms: arXiv 2206.02915.
double element_as_double(DType dtype, const std::uint8_t* p);

}  // namespace samebits
