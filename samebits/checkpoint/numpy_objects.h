// numpy arrays inside a pickle: the calls that make them, read as views of the pickle's bytes.
//
// Source: numpy/_core/src/multiarray/methods.c (array_reduce, array_setstate), numpy/_core/
// numeric.py (_frombuffer) of numpy 2.4, and their names before 2.0. Covers C and Fortran order,
// both orders of bytes, scalars, protocols 0 to 5. Not covered: objects, text and structured types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "samebits/checkpoint/tree_view.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// True where the node is an array of numpy, or one of its scalars.
bool is_numpy_array(const pickle::Tree& tree, NodeId node);

struct NumpyArray {
  TensorView view;
  std::shared_ptr<std::vector<std::uint8_t>> owned;  // set: what `view` borrows
  std::uint64_t offset = 0;                          // byte of `file` where its data begin
};

/// Requires is_numpy_array(). `file` are the bytes that outlive the tree: data that stands
/// elsewhere is copied. Errors: unsupported (objects, text, structured types), malformed,
/// truncated.
Result<NumpyArray> read_numpy_array(const pickle::Tree& tree, NodeId node, Bytes file,
                                    const std::string& path);

}  // namespace samebits
