#include "samebits/convert/planned_bytes.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "samebits/compare/rounding.h"
#include "samebits/tensor/distinct_views.h"

namespace samebits {
namespace {

constexpr std::uint64_t kBlock = 1 << 16;  // elements that are cast at a time

template <class Word>
void put_word(Word word, std::uint8_t* p) {
  for (std::size_t i = 0; i < sizeof(Word); ++i) p[i] = static_cast<std::uint8_t>(word >> (8 * i));
}

std::uint16_t half_bits(double value) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 48 & 0x8000);
  const double size = std::fabs(value);
  if (std::isinf(value)) return sign | 0x7c00;
  if (size < 0x1p-14) return sign | static_cast<std::uint16_t>(size * 0x1p24);  // subnormal, exact
  const auto exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  return static_cast<std::uint16_t>(sign | (exponent + 15) << 10 | (bits >> 42 & 0x3ff));
}

Error overflow(double value, DType type) {
  return {.code = ErrorCode::unsupported,
          .what = fmt::format("it holds {:g}, which would become infinite in {}", value,
                              info(type).torch),
          .hint = "Convert it to bfloat16, whose range is that of float32, or without --dtype"};
}

Result<void> feed_cast(const TensorView& view, DType type, std::atomic<bool>* rounded,
                       const ByteSink& sink) {
  std::vector<std::uint8_t> buffer, out(kBlock * itemsize(type));
  std::vector<double> numbers(kBlock), exact(kBlock);
  const std::uint64_t from = itemsize(view.dtype()), to = itemsize(type);
  for (std::uint64_t first = 0; first < view.numel(); first += kBlock) {
    const std::uint64_t count = std::min(kBlock, view.numel() - first);
    const Bytes bytes = view.row_major_range(first, count, buffer);
    for (std::uint64_t i = 0; i < count; ++i) {
      numbers[i] = exact[i] = element_as_double(view.dtype(), bytes.data() + i * from);
      if (std::isnan(numbers[i]))
        return fail({.code = ErrorCode::unsupported,
                     .what = "it holds NaN, of which a cast makes other bits from one processor to "
                             "the next",
                     .hint = "Convert it without --dtype"});
    }
    round_all(type, std::span(numbers).first(count));
    for (std::uint64_t i = 0; i < count; ++i) {
      if (std::isinf(numbers[i]) && !std::isinf(exact[i])) return fail(overflow(exact[i], type));
      put_number(type, numbers[i], out.data() + i * to);
      if (numbers[i] != exact[i]) *rounded = true;
    }
    SAMEBITS_TRY_VOID(sink(Bytes(out).first(count * to)));
  }
  return {};
}

Result<void> feed_view(const TensorView& view, DType type, std::atomic<bool>* rounded,
                       const ByteSink& sink) {
  if (view.dtype() != type) return feed_cast(view, type, rounded, sink);
  if (view.is_plain()) return sink(view.plain_bytes());
  constexpr std::uint64_t kChunk = 4 << 20;
  std::vector<std::uint8_t> buffer;
  const std::uint64_t step = kChunk / itemsize(type);
  for (std::uint64_t first = 0; first < view.numel(); first += step)
    SAMEBITS_TRY_VOID(
        sink(view.row_major_range(first, std::min(step, view.numel() - first), buffer)));
  return {};
}

DType type_of(const PlannedTensor& tensor, std::optional<DType> dtype) {
  const DType own = tensor.pieces[0].dtype();
  return dtype && can_round_to(own) ? *dtype : own;
}

Blob blob_of(const PlannedTensor& tensor, DType type, std::atomic<bool>* rounded) {
  std::uint64_t size = 0;
  for (const TensorView& piece : tensor.pieces) size += piece.numel() * itemsize(type);
  return {size, [&tensor, type, rounded](const ByteSink& sink) -> Result<void> {
            for (const TensorView& piece : tensor.pieces) {
              Result<void> fed = feed_view(piece, type, rounded, sink);
              if (fed) continue;
              if (fed.error().file.empty())
                fed.error().what = tensor.from + ": " + fed.error().what;
              return fed;
            }
            return {};
          }};
}

}  // namespace

void put_number(DType type, double value, std::uint8_t* p) {
  switch (type) {
    case DType::float64: return put_word(std::bit_cast<std::uint64_t>(value), p);
    case DType::float32:
      return put_word(std::bit_cast<std::uint32_t>(static_cast<float>(value)), p);
    case DType::bfloat16:
      return put_word(
          static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(value)) >> 16),
          p);
    default: SAMEBITS_CHECK(type == DType::float16); return put_word(half_bits(value), p);
  }
}

bool can_cast_to(DType dtype) {
  return dtype == DType::float64 || dtype == DType::float32 || dtype == DType::float16 ||
         dtype == DType::bfloat16;
}

PlannedBytes planned_bytes(const TensorPlan& plan, std::optional<DType> dtype) {
  PlannedBytes made;
  DistinctViews distinct;
  for (const PlannedTensor& tensor : plan.tensors) {
    const DType type = type_of(tensor, dtype);
    const bool may_share = tensor.pieces.size() == 1 && tensor.pieces[0].numel() > 0;
    const std::size_t next = made.output.blobs.size();
    const std::size_t blob = may_share ? distinct.add(tensor.pieces[0], next) : next;
    if (blob == next) {
      made.rounded.push_back(std::make_shared<std::atomic<bool>>(false));
      made.output.blobs.push_back(blob_of(tensor, type, made.rounded.back().get()));
    }
    made.output.tensors.push_back({tensor.name, type, tensor.shape(), blob});
  }
  return made;
}

}  // namespace samebits
