// open(path): what is it, and what is in it. The one entrance to files of weights.
#pragma once

#include <string>

#include "samebits/base/error.h"
#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct OpenOptions {
  std::string key;    // which of several candidates; "" lets the order of preference decide
  bool deep = false;  // read every byte: checksums, NaN, Inf
  std::uint64_t deep_up_to = 0;  // the same where files, and what their tensors describe, have no
                                 // more bytes
  bool cross_check = false;      // hold against each other what is there twice; numpy's checksums
  int threads = 1;
};

/// `path` is a file or a directory, told apart by content and never by extension. Reads structure
/// only (milliseconds at any size) unless options.deep. Errors: io, truncated, malformed,
/// inconsistent, limit, memory, unsupported, and usage where options.key names no candidate (the
/// hint lists them). A part that cannot be read while the rest stands goes to Checkpoint::unread
/// instead.
Result<Checkpoint> open_checkpoint(const std::string& path, const OpenOptions& options = {});

}  // namespace samebits
