// What torch refuses to load, in files that this program reads all the same.
//
// Source: torch/serialization.py, caffe2/serialize/inline_container.cc and
// torch/csrc/jit/serialization/import.cc of torch 2.13. Each becomes an oddity `refused`, whose
// summary begins with the function that raises. Not covered: classes and functions that
// weights_only=True does not know, and what they do with their arguments.
#pragma once

#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/container/pickle.h"
#include "samebits/container/zip.h"

namespace samebits {

void add_refusal(Checkpoint& checkpoint, std::string summary, std::uint32_t file,
                 std::uint64_t offset);

/// The archive as a whole, and its small records. `prefix`: the folder of data.pkl as it was taken.
void find_zip_refusals(Checkpoint& checkpoint, const ZipArchive& zip, const std::string& prefix,
                       std::uint32_t file);

/// Text that Python cannot decode.
void find_pickle_refusals(Checkpoint& checkpoint, const pickle::Pickle& pickle, std::uint32_t file);

/// Devices that torch does not know, integers that require gradients.
void find_tensor_refusals(Checkpoint& checkpoint);

}  // namespace samebits
