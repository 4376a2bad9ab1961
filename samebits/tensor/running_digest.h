// The fast digest of digest.h, of bytes that come in pieces.
#pragma once

#include <memory>

#include "samebits/tensor/digest.h"

namespace samebits {

class RunningDigest {
 public:
  RunningDigest();
  ~RunningDigest();
  RunningDigest(const RunningDigest&) = delete;
  RunningDigest& operator=(const RunningDigest&) = delete;

  void add(Bytes bytes);
  /// fast_digest() of all bytes so far.
  Digest128 digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace samebits
