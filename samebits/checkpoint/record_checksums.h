// Whether the zip records that hold given tensors are whole: checksums, and room without values.
//
// Source: torch 2.13.0, torch/serialization.py: set_crc32_options(False) writes 0 for every
// checksum of an archive; skip_data writes 0 for those of the storages only, whose bytes are zeros
// until something else fills them. torch.load looks at no checksum.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/container/zip.h"

namespace samebits {

/// A record that does not hold what was saved.
struct RecordFault {
  std::string record;  // "archive/data/3"
  std::uint32_t file = 0;
  std::uint64_t offset = 0;  // of its data in that file
  std::uint32_t stored = 0, computed = 0;
  bool unwritten = false;              // zeros without a checksum; else the checksum does not hold
  std::vector<std::uint32_t> entries;  // of those that were asked about
};

enum class RecordCheck : std::uint8_t {
  checksums,  // and zeros; reads the records whole
  zeros,      // of records without a checksum only; reads each up to the first byte that is none
};

/// Reads the records of torch archives and .npz files that hold these entries, and no others.
/// `whole`, where given: how many of them have a checksum that holds.
std::vector<RecordFault> faults_of_records(const Checkpoint& checkpoint,
                                           const std::vector<std::uint32_t>& entries,
                                           RecordCheck check, int threads,
                                           std::size_t* whole = nullptr);

/// The checksums of one torch archive. A field of 0 is none.
class ArchiveChecksums {
 public:
  explicit ArchiveChecksums(const ZipArchive& zip);
  /// Whether no record has one.
  bool are_absent() const { return absent_; }
  static bool has_none(const ZipEntry& entry) { return entry.crc32 == 0 && entry.size > 0; }
  /// Whether the record is room that was never filled: it has no checksum, and no storage without
  /// one holds anything. Beside filled ones zeros may be values.
  bool is_unwritten(const ZipEntry& entry) const;

 private:
  bool absent_ = false;
  bool no_values_ = false;
};

/// An oddity where a torch archive has no checksums, or storages of it have none.
void note_absent_checksums(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file);

/// An `unwritten` oddity for each storage of a torch archive of whose storages none holds values,
/// in the place of what note_absent_checksums() said of it. Real values end the look at a record at
/// once; no more than 256 MB of zeros are read, and past them nothing is said.
void find_unwritten(Checkpoint& checkpoint);
/// Paths of the tensors whose bytes lie in the record of an oddity.
void name_tensors_of(const Checkpoint& checkpoint, const ZipEntry& entry, Oddity* oddity);
/// What such an oddity says.
std::string unwritten_text(const std::string& record);

/// Whether an archive among the files was written without checksums.
bool lacks_checksums(const Checkpoint& checkpoint);

}  // namespace samebits
