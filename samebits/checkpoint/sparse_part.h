// What a tensor is of the sparse tensor that it belongs to.
#pragma once

#include <string>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// One of the tensors that a sparse tensor is kept in.
struct SparsePart {
  std::string layout;  // "sparse_csr"
  std::string part;    // "values": the end of its name
  Shape size;          // of the tensor; empty where the file does not say it
};

}  // namespace samebits
