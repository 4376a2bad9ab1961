// Memory for results that may be larger than the machine's: pages of a file without a name.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "samebits/base/error.h"

namespace samebits {

/// Zeros at first. The system may put its pages on the disk of `folder` and fetch them again; the
/// file is gone with this value, or with the process.
class ScratchFile {
 public:
  /// Errors: io where the folder takes no file of that size.
  static Result<std::shared_ptr<ScratchFile>> create(const std::string& folder, std::uint64_t size);
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  /// The next `size` bytes of it. Requires that there are so many.
  std::span<std::uint8_t> take(std::uint64_t size);

 private:
  ScratchFile() = default;
  std::span<std::uint8_t> bytes_;
  std::uint64_t taken_ = 0;
};

}  // namespace samebits
