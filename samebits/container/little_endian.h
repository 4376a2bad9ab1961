// Numbers and texts as the bytes of a file, for writers of containers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "samebits/base/bytes.h"

namespace samebits {

/// The lowest `bytes` bytes of a number, the lowest first.
template <int bytes>
std::string little_endian(std::uint64_t value) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// Borrows the text.
inline Bytes bytes_of_text(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace samebits
