// What was written, read again and held against what was to be written.
#pragma once

#include <string>

#include "samebits/container/tensor_blob.h"

namespace samebits {

/// Opens `path` as any checkpoint and compares names, types, shapes and every byte. Errors:
/// inconsistent, with the first tensor that is not as it was to be.
Result<void> check_read_back(const std::string& path, const TensorsToWrite& wanted, int threads);

}  // namespace samebits
