// What only reading every byte shows: checksums that do not hold, values that are not finite.
#pragma once

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Adds oddities bad_checksum (zip records) and not_finite (NaN and infinities a tensor). Reads all
/// bytes of all files.
void read_deep(Checkpoint& checkpoint, int threads);

/// Adds oddities bad_checksum of .npz files, which numpy.load refuses: a part of read_deep() for
/// who compares values. torch looks at no checksum.
void read_checksums(Checkpoint& checkpoint, int threads);

/// What an oddity says of a zip record whose CRC-32 is another than the archive has for it.
std::string bad_checksum_text(const std::string& record, std::uint32_t stored,
                              std::uint32_t computed, bool npz = false);

/// How many elements of a floating or complex tensor are NaN and infinite; zeros for other types.
struct NotFinite {
  std::uint64_t nan = 0, inf = 0;
};
NotFinite count_not_finite(const TensorView& view);

}  // namespace samebits
