// Digests of a tensor's values: a fast one to find equal tensors, SHA-256 to publish.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// XXH3 128 of the row-major little-endian bytes. Finds equal tensors; not a defence against
/// somebody who makes two contents collide on purpose.
struct Digest128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Digest128&) const = default;
};

Digest128 fast_digest(const TensorView& view);
Digest128 fast_digest(Bytes bytes);

/// SHA-256 (FIPS 180-4) of the row-major little-endian bytes, as 64 lower-case hex digits.
std::string sha256_hex(const TensorView& view);
std::string sha256_hex(Bytes bytes);

}  // namespace samebits
