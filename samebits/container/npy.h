// The header of a numpy array file (.npy), and so of the members of an .npz.
//
// Source: numpy/lib/_format_impl.py, format versions 1.0 to 3.0.
#pragma once

#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct NpyHeader {
  std::string descr;  // "<f4", "|O", or the text of a structured type
  bool fortran_order = false;
  Shape shape;
  std::uint64_t data_offset = 0;  // from the start of the .npy
  bool is_object = false;         // the data is a pickle
};

bool looks_like_npy(Bytes bytes);
/// Errors: truncated, malformed, unsupported, limit. `base` is where `bytes` begins in `file`.
Result<NpyHeader> read_npy_header(Bytes bytes, const std::string& file, std::uint64_t base = 0);
/// The array as a view of `bytes` (which begin at the magic). Errors: also unsupported for object
/// and structured types.
Result<TensorView> npy_view(const NpyHeader& header, Bytes bytes, const std::string& file,
                            std::uint64_t base = 0);

}  // namespace samebits
