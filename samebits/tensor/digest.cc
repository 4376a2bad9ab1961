#include "samebits/tensor/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

namespace samebits {
namespace {

// Bytes that are gathered at a time from a tensor that is not plain.
constexpr std::uint64_t kChunk = 4 << 20;

template <class Update>
void for_each_chunk(const TensorView& view, Update update) {
  if (view.is_plain()) return update(view.plain_bytes());
  const std::uint64_t step = kChunk / itemsize(view.dtype());
  std::vector<std::uint8_t> buffer;
  for (std::uint64_t first = 0; first < view.numel(); first += step) {
    update(view.row_major_range(first, std::min(step, view.numel() - first), buffer));
  }
}

// In a context of its own: OpenSSL's default one reads OPENSSL_CONF, and a file that it names may
// leave no SHA-256.
const EVP_MD* sha256() {
  static OSSL_LIB_CTX* const library = OSSL_LIB_CTX_new();
  static const EVP_MD* const algorithm = EVP_MD_fetch(library, "SHA256", nullptr);
  return algorithm;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    // Only memory can be lacking here.
    if (!context_ || sha256() == nullptr ||
        EVP_DigestInit_ex2(context_.get(), sha256(), nullptr) != 1)
      throw std::bad_alloc();
  }
  void update(Bytes bytes) {
    SAMEBITS_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string hex() {
    std::array<std::uint8_t, 32> digest = {};
    SAMEBITS_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : digest) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

Digest128 fast_digest(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Digest128 fast_digest(const TensorView& view) {
  if (view.is_plain()) return fast_digest(view.plain_bytes());
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (!state) throw std::bad_alloc();
  SAMEBITS_CHECK(XXH3_128bits_reset(state.get()) == XXH_OK);
  for_each_chunk(view, [&](Bytes chunk) {
    SAMEBITS_CHECK(XXH3_128bits_update(state.get(), chunk.data(), chunk.size()) == XXH_OK);
  });
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return {hash.high64, hash.low64};
}

std::string sha256_hex(Bytes bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.hex();
}

std::string sha256_hex(const TensorView& view) {
  Sha256 sha;
  for_each_chunk(view, [&](Bytes chunk) { sha.update(chunk); });
  return sha.hex();
}

}  // namespace samebits
