#include "samebits/quantized/bit_codes.h"

namespace samebits {
namespace {

Bytes plain_bytes_of(const TensorView& view, std::shared_ptr<std::vector<std::uint8_t>>& owned) {
  if (view.is_plain()) return view.plain_bytes();
  owned = std::make_shared<std::vector<std::uint8_t>>();
  return view.row_major_bytes(*owned);
}

}  // namespace

std::optional<BitCodes> BitCodes::in_one_line(const TensorView& packed, unsigned bits,
                                              const CodeOrder& order) {
  if (packed.numel() == 0 || bits < 1 || bits > 8) return std::nullopt;
  BitCodes codes;
  codes.bytes_ = plain_bytes_of(packed, codes.owned_);
  codes.order_ = order;
  codes.bits_ = bits;
  codes.lines_ = 1;
  codes.line_words_ = codes.line_step_ = packed.nbytes();
  codes.word_step_ = 1;
  return codes;
}

std::optional<BitCodes> BitCodes::in_rows(const TensorView& packed, unsigned bits,
                                          const CodeOrder& order) {
  if (packed.shape().empty()) return std::nullopt;
  std::optional<BitCodes> codes = in_one_line(packed, bits, order);
  if (!codes) return std::nullopt;
  codes->lines_ = static_cast<std::uint64_t>(packed.shape()[0]);
  codes->line_words_ = codes->line_step_ = packed.nbytes() / codes->lines_;
  return codes;
}

std::optional<BitCodes> BitCodes::in_columns(const TensorView& packed, unsigned bits) {
  if (packed.shape().size() != 2 || packed.numel() == 0 || packed.dtype() != DType::int32 ||
      bits < 1 || bits > 8)
    return std::nullopt;
  BitCodes codes;
  codes.bytes_ = plain_bytes_of(packed, codes.owned_);
  codes.bits_ = bits;
  codes.lines_ = static_cast<std::uint64_t>(packed.shape()[1]);
  codes.line_words_ = static_cast<std::uint64_t>(packed.shape()[0]);
  codes.word_bytes_ = 4;
  codes.line_step_ = 4;
  codes.word_step_ = 4 * codes.lines_;
  return codes;
}

}  // namespace samebits
