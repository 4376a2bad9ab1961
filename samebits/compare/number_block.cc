#include "samebits/compare/number_block.h"

#include <array>

namespace samebits {
namespace {

using CodeTable = std::array<double, 256>;

template <DType type>
const double* table_of() {
  static const CodeTable table = [] {
    CodeTable made{};
    for (std::size_t code = 0; code < made.size(); ++code) {
      const auto byte = static_cast<std::uint8_t>(code);
      made[code] = element_as_double(type, &byte);
    }
    return made;
  }();
  return table.data();
}

}  // namespace

DType component_type(DType type) {
  switch (type) {
    case DType::complex128: return DType::float64;
    case DType::complex64: return DType::float32;
    case DType::complex32: return DType::float16;
    default: return type;
  }
}

std::uint64_t component_count(const TensorView& view) {
  return view.numel() * (itemsize(view.dtype()) / itemsize(component_type(view.dtype())));
}

Stored stored_as(DType type) {
  switch (type) {
    case DType::float64: return Stored::f64;
    case DType::float32: return Stored::f32;
    case DType::float16: return Stored::f16;
    case DType::bfloat16: return Stored::bf16;
    case DType::int64: return Stored::i64;
    case DType::uint64: return Stored::u64;
    case DType::int32: return Stored::i32;
    case DType::uint32: return Stored::u32;
    case DType::int16: return Stored::i16;
    case DType::uint16: return Stored::u16;
    default: SAMEBITS_CHECK(itemsize(type) == 1 && has_element_values(type)); return Stored::coded;
  }
}

const double* code_table(DType type) {
  switch (type) {
    case DType::float8_e4m3fn: return table_of<DType::float8_e4m3fn>();
    case DType::float8_e4m3fnuz: return table_of<DType::float8_e4m3fnuz>();
    case DType::float8_e5m2: return table_of<DType::float8_e5m2>();
    case DType::float8_e5m2fnuz: return table_of<DType::float8_e5m2fnuz>();
    case DType::float8_e8m0fnu: return table_of<DType::float8_e8m0fnu>();
    case DType::int8: return table_of<DType::int8>();
    case DType::uint8: return table_of<DType::uint8>();
    case DType::boolean: return table_of<DType::boolean>();
    default: return nullptr;
  }
}

void NumberBlock::load(const TensorView& view, std::uint64_t first, std::uint64_t count) {
  const DType type = component_type(view.dtype());
  const std::uint64_t parts = itemsize(view.dtype()) / itemsize(type);
  raw_ = view.row_major_range(first / parts, count / parts, buffer_);
  numbers_.resize(count);
  if (count > 0)
    stats_loops().widen(stored_as(type), raw_.data(), count, code_table(type), numbers_.data());
}

}  // namespace samebits
