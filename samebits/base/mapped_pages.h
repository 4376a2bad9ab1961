// Pages of mapped files in this process's memory.
#pragma once

#include "samebits/base/mapped_file.h"

namespace samebits {

/// Tells the system that `part` of `file` is not about to be read again: its pages leave this
/// process's memory, and come back from the file where it is read all the same. Bytes that lie
/// elsewhere are left alone.
void give_back(const MappedFile& file, Bytes part);

}  // namespace samebits
