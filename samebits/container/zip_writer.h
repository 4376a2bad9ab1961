// Writes zip archives of stored records, as torch.save and numpy.savez write them.
//
// Format: APPNOTE.TXT 6.3.10 of PKWARE, with zip64 where sizes, offsets or counts need it. The same
// records give the same bytes: times are those of 1980-01-01.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/container/tensor_blob.h"

namespace samebits {

class ZipWriter {
 public:
  /// The sink must outlive it.
  explicit ZipWriter(const ByteSink& sink) : sink_(sink) {}

  /// The bytes of a record begin at a multiple of `alignment`. A blob is fed twice: its checksum
  /// stands in front of it. Errors: those of the sink and of the blob.
  Result<void> add(const std::string& name, const Blob& blob, std::uint64_t alignment);
  Result<void> add(const std::string& name, const std::string& bytes, std::uint64_t alignment);
  /// The directory of records. Nothing may be added afterwards.
  Result<void> finish();

 private:
  struct Entry {
    std::string name;
    std::uint32_t crc = 0;
    std::uint64_t size = 0, offset = 0;
  };
  Result<void> put(const std::string& bytes);

  const ByteSink& sink_;
  std::vector<Entry> entries_;
  std::uint64_t at_ = 0;
};

}  // namespace samebits
