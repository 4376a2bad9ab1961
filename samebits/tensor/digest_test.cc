#include "samebits/tensor/digest.h"

#include <gtest/gtest.h>

namespace samebits {
namespace {

Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<std::uint8_t> counting_bytes(std::size_t count) {
  std::vector<std::uint8_t> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<std::uint8_t>(i * 31 + i / 253);
  return data;
}

// Examples of FIPS 180-4, published by NIST.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256_hex(Bytes{}),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// The empty input's digest as in xxHash's own sanity tests (seed 0).
TEST(FastDigest, KnownAnswer) {
  EXPECT_EQ(fast_digest(Bytes{}), (Digest128{0x99AA06D3014798D8, 0x6001C324468D497F}));
}

TEST(Digest, OfAStridedTensorIsThatOfItsRowMajorBytes) {
  // Larger than one chunk, and no whole number of chunks.
  const auto storage = counting_bytes(4 * 1100 * 1001);
  const TensorView plain =
      TensorView::make(DType::float32, {1100, 1001}, {1001, 1}, 0, storage).value();
  const TensorView transposed = plain.transposed(0, 1);
  std::vector<std::uint8_t> buffer;
  const Bytes expected = transposed.row_major_bytes(buffer);
  EXPECT_EQ(fast_digest(transposed), fast_digest(expected));
  EXPECT_EQ(sha256_hex(transposed), sha256_hex(expected));
  EXPECT_NE(fast_digest(transposed), fast_digest(plain));
  EXPECT_EQ(fast_digest(plain), fast_digest(Bytes(storage)));
}

TEST(Digest, OfABigEndianTensorIsThatOfItsLittleEndianBytes) {
  const std::vector<std::uint8_t> big = {1, 2, 3, 4};
  const std::vector<std::uint8_t> little = {2, 1, 4, 3};
  const TensorView view = TensorView::make(DType::int16, {2}, {1}, 0, big, true).value();
  EXPECT_EQ(fast_digest(view), fast_digest(Bytes(little)));
  EXPECT_EQ(sha256_hex(view), sha256_hex(Bytes(little)));
}

TEST(Digest, OfAnEmptyTensorIsThatOfNoBytes) {
  EXPECT_EQ(sha256_hex(TensorView()), sha256_hex(Bytes{}));
  EXPECT_EQ(fast_digest(TensorView()), fast_digest(Bytes{}));
}

}  // namespace
}  // namespace samebits
