// Any bytes as a lock file: what is read is written again as the same text.
#include <cstddef>
#include <cstdint>

#include "samebits/lock/lock_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const Result<Lock> lock = parse_lock(Bytes(data, size), "fuzz");
  if (!lock) return 0;
  const std::string text = lock_text(*lock);
  const Result<Lock> again =
      parse_lock({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, "fuzz");
  SAMEBITS_CHECK(again && lock_text(*again) == text);
  return 0;
}
