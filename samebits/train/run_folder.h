// The directory of a training: a checkpoint directory step-N for each step that was saved, and
// metrics.csv.
//
// A checkpoint is written under a temporary name and takes its own when all of it is on the disk:
// whatever has the name step-N is whole. What a killed training left half-written is removed when
// the next one opens the directory. One training at a time: the directory is locked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/base/json.h"

namespace samebits {

/// The newest checkpoint of a training's directory; `path` itself where it is none.
std::string newest_checkpoint(const std::string& path);

class RunFolder {
 public:
  /// Makes the directory where there is none. Errors: io; usage where another training holds it.
  static Result<RunFolder> open(const std::string& path);
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  const std::string& path() const { return path_; }
  /// Steps that are saved, ascending.
  Result<std::vector<std::uint64_t>> steps() const;
  std::string step_path(std::uint64_t step) const;
  std::string metrics_path() const { return path_ + "/metrics.csv"; }

  /// Calls write(directory), which fills it; then the directory is step-N. Of older ones only the
  /// newest `keep` - 1 stay; 0: all. Errors: io and those of `write`.
  Result<void> save(std::uint64_t step, std::size_t keep,
                    const std::function<Result<void>(const std::string& directory)>& write) const;

 private:
  RunFolder() = default;
  Result<void> remove_leftovers() const;
  Result<void> remove_old(std::size_t keep) const;

  std::string path_;
  int lock_ = -1;
};

}  // namespace samebits
