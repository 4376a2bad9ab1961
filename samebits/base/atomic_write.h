// Writing a whole file so that others see either the old content or the new one, never a part.
#pragma once

#include <string>
#include <string_view>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

/// A file that is written under a temporary name in the target's folder and takes its place in
/// commit(). Without commit() the target stays untouched and the temporary file is removed.
class AtomicFile {
 public:
  /// A target that exists must be a regular file (a symbolic link is followed to it); its
  /// permissions are kept. Errors: io.
  static Result<AtomicFile> create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  /// Appends. Errors: io.
  Result<void> write(Bytes bytes);
  /// Flushes to the disk and renames. Nothing may be written afterwards. Errors: io.
  Result<void> commit();

 private:
  AtomicFile() = default;
  Error error(const std::string& action) const;  // with errno's text

  std::string path_;  // as the caller gave it
  std::string target_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// The same in one step.
Result<void> atomic_write(const std::string& path, Bytes contents);
Result<void> atomic_write(const std::string& path, std::string_view contents);

}  // namespace samebits
