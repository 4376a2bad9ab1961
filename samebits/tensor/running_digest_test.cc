#include "samebits/tensor/running_digest.h"

#include <vector>

#include <gmock/gmock.h>

namespace samebits {
namespace {

TEST(RunningDigest, OfPiecesIsThatOfTheWhole) {
  std::vector<std::uint8_t> bytes(100'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i >> 3);
  RunningDigest digest;
  EXPECT_EQ(digest.digest(), fast_digest(Bytes{}));
  for (std::size_t at = 0, size = 1; at < bytes.size(); at += size, size = size * 2 + 1)
    digest.add(Bytes(bytes).subspan(at, std::min(size, bytes.size() - at)));
  EXPECT_EQ(digest.digest(), fast_digest(Bytes(bytes)));
}

}  // namespace
}  // namespace samebits
