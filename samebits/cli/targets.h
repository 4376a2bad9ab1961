// The files that a command is asked to write, checked before any work is done.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/error.h"

namespace samebits {

struct Target {
  std::string option;  // "--save"
  std::string path;    // "": nothing is written
};

/// An input is "" where none was given. Errors: usage, where two targets are one file, or one is a
/// file of `inputs` or of a directory among them, by whatever path, symbolic or hard link; where
/// standard output or standard error goes to a target, or to a file among the inputs. io, where a
/// target cannot be written.
Result<void> check_targets(const std::vector<Target>& targets,
                           const std::vector<std::string>& inputs);

}  // namespace samebits
