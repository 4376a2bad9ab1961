#include "samebits/compare/number_block.h"

#include <bit>

namespace samebits {
namespace {

template <class Element>
void widen(Bytes raw, std::vector<double>* numbers, Element element) {
  const std::size_t item = raw.size() / numbers->size();
  const std::uint8_t* p = raw.data();
  for (double& number : *numbers) {
    number = element(p);
    p += item;
  }
}

double bfloat16_at(const std::uint8_t* p) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(load_u16le(p)) << 16);
}
double float32_at(const std::uint8_t* p) { return std::bit_cast<float>(load_u32le(p)); }

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

void NumberBlock::load(const TensorView& view, std::uint64_t first, std::uint64_t count) {
  const DType type = component_type(view.dtype());
  const std::uint64_t parts = itemsize(view.dtype()) / itemsize(type);
  raw_ = view.row_major_range(first / parts, count / parts, buffer_);
  numbers_.resize(count);
  if (count == 0) return;
  if (type == DType::float32) return widen(raw_, &numbers_, float32_at);
  if (type == DType::bfloat16) return widen(raw_, &numbers_, bfloat16_at);
  widen(raw_, &numbers_, [type](const std::uint8_t* p) { return element_as_double(type, p); });
}

}  // namespace samebits
