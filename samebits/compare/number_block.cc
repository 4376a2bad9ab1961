#include "samebits/compare/number_block.h"

#include <bit>

namespace samebits {
namespace {

template <DType type>
const CodeTable* table_of() {
  static const CodeTable table = [] {
    CodeTable made{};
    for (std::size_t code = 0; code < 256; ++code) {
      const auto byte = static_cast<std::uint8_t>(code);
      made.numbers[code] = element_as_double(type, &byte);
      const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(made.numbers[code]));
      made.bfloat16[code] = static_cast<std::uint16_t>(bits >> 16);
    }
    return made;
  }();
  return &table;
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
    case DType::float8_e4m3fn: return Stored::e4m3fn;
    case DType::float8_e4m3fnuz: return Stored::e4m3fnuz;
    case DType::float8_e5m2: return Stored::e5m2;
    case DType::float8_e5m2fnuz: return Stored::e5m2fnuz;
    case DType::int64: return Stored::i64;
    case DType::uint64: return Stored::u64;
    case DType::int32: return Stored::i32;
    case DType::uint32: return Stored::u32;
    case DType::int16: return Stored::i16;
    case DType::uint16: return Stored::u16;
    default: SAMEBITS_CHECK(itemsize(type) == 1 && has_element_values(type)); return Stored::coded;
  }
}

const CodeTable* code_table(DType type) {
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
