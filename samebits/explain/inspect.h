// samebits inspect: one checkpoint, and what it shows by itself.
#pragma once

#include <string>

#include "samebits/base/limits.h"
#include "samebits/explain/report.h"

namespace samebits {

struct InspectOptions {
  bool deep = false;    // read every byte: checksums, NaN, Inf
  bool sha256 = false;  // digests of every tensor; implies deep
  /// The same where the file has no more bytes than that, nor its tensors.
  std::uint64_t deep_up_to = kLimits.read_unasked;
  int threads = 1;
  std::string key{};
  /// Which tensors are listed; all are checked.
  std::optional<NameFilter> filter{};
};

/// Verdict clean, risk, or unknown where the file or a part of it could not be read.
Report inspect(const std::string& path, const InspectOptions& options);

}  // namespace samebits
