// Writing a whole file so that others see either the old content or the new one, never a part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

/// A file that is written without a name, or under a temporary one where the file system has no
/// files without names, and takes the target's place in commit(). Without commit() the target stays
/// untouched and nothing else is left: not by the destructor, nor where the process is killed; of a
/// temporary name, where the signal's handler calls remove_temporary_files().
class AtomicFile {
 public:
  /// A target that exists must be a regular file; its permissions are kept. Errors: io.
  static Result<AtomicFile> create(const std::string& path);
  /// The same with a temporary name from the beginning, for file systems that need one.
  static Result<AtomicFile> create_named(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  /// Appends. The disk begins with what was written while more of it comes. Errors: io.
  Result<void> write(Bytes bytes);
  /// Where what was written so far can be read until commit().
  std::string readable_path() const;
  /// Flushes to the disk and takes the target's name. Nothing may be written afterwards. Errors:
  /// io.
  Result<void> commit();

 private:
  explicit AtomicFile(const std::string& path);
  static Result<AtomicFile> create(const std::string& path, bool named);
  bool open_unnamed();
  bool open_named();
  bool take_name();
  void begin_flushing();
  Error error(const std::string& action) const;  // with errno's text

  std::string path_;       // as the caller gave it
  std::string target_;     // where symbolic links lead
  std::string temporary_;  // "" while the file has no name
  int slot_ = -1;          // of the names that remove_temporary_files() removes
  int descriptor_ = -1;
  std::uint64_t written_ = 0, flushing_ = 0;  // bytes; the disk has been given the first ones
};

/// The same in one step.
Result<void> atomic_write(const std::string& path, Bytes contents);
Result<void> atomic_write(const std::string& path, std::string_view contents);

/// Which file is written for `path`: where symbolic links lead, even to what does not exist yet, so
/// that the links stay.
std::string written_path(const std::string& path);

/// Removes the temporary files of this process. May be called by a signal's handler, after which
/// the process must end.
void remove_temporary_files() noexcept;

}  // namespace samebits
