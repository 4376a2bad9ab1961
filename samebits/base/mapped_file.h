// A file mapped into memory, read-only. Opening costs microseconds at any size and allocates
// nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

/// Owns the mapping; every view of its bytes must end before it. Shared, since a checkpoint's
/// tensors, its tree and its report all borrow from one file.
///
/// The mapping is private: a program that rewrites the file in place while we read may be seen; one
/// that truncates it raises SIGBUS, which the command-line program turns into an error
/// (cli/main.cc).
class MappedFile {
 public:
  /// Errors: io for a missing file, a directory, a device, a pipe, or where the system refuses.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  Bytes bytes() const { return bytes_; }
  std::uint64_t size() const { return bytes_.size(); }
  /// Last modification, seconds since 1970-01-01 UTC.
  std::int64_t modified() const { return modified_; }
  std::uint64_t device() const { return device_; }
  std::uint64_t inode() const { return inode_; }

  /// Tells the system that [offset, offset + count) is about to be read in full.
  void will_read(std::uint64_t offset, std::uint64_t count) const;

 private:
  MappedFile() = default;
  std::string path_;
  Bytes bytes_;
  std::int64_t modified_ = 0;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace samebits
