#include "samebits/tensor/running_digest.h"

#include <xxhash.h>

#include <new>

namespace samebits {

struct RunningDigest::State {
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> xxh{XXH3_createState(),
                                                                      &XXH3_freeState};
};

RunningDigest::RunningDigest() : state_(std::make_unique<State>()) {
  if (!state_->xxh) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh.get());
}

RunningDigest::~RunningDigest() = default;

void RunningDigest::add(Bytes bytes) {
  XXH3_128bits_update(state_->xxh.get(), bytes.data(), bytes.size());
}

Digest128 RunningDigest::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh.get());
  return {.high = hash.high64, .low = hash.low64};
}

}  // namespace samebits
