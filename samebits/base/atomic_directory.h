// Writing a whole directory so that others see either all of it or nothing.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/error.h"

namespace samebits {

/// A directory that is filled under a temporary name beside the target and takes the target's name
/// in commit(). Without commit() nothing is left: not by the destructor, and where a signal ends
/// the program, where its handler calls remove_temporary_directory(). It holds files, no
/// directories.
class AtomicDirectory {
 public:
  /// `replace`: a target that exists gives way, if it holds nothing but files for which
  /// `may_go(name)`. Errors: io; usage where the target exists and may not be replaced.
  static Result<AtomicDirectory> create(const std::string& path, bool replace,
                                        bool (*may_go)(const std::string& name));

  AtomicDirectory(AtomicDirectory&& other) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&&) = delete;
  ~AtomicDirectory();

  /// Where files are written until commit().
  const std::string& temporary() const { return temporary_; }
  /// Takes the target's name. Errors: io.
  Result<void> commit();

 private:
  AtomicDirectory() = default;
  std::string path_, temporary_;
  bool exists_ = false;
};

/// Removes the temporary directory of this process, with its files. May be called by a signal's
/// handler, after which the process must end.
void remove_temporary_directory() noexcept;

}  // namespace samebits
