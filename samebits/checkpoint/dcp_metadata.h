// What the .metadata of a distributed checkpoint says, as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/container/pickle.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// An item of a .distcp file.
struct DcpPiece {
  Shape offsets;  // where it begins in the tensor
  std::string file;
  std::uint64_t offset = 0, length = 0;  // bytes
};

struct DcpTensor {
  std::string name;
  DType dtype = DType::float32;
  Shape size;
  std::vector<DcpPiece> pieces;
  std::size_t chunks = 0;  // so many pieces there are to be
};

struct DcpMetadata {
  std::vector<DcpTensor> tensors;  // in the order of the file
  std::vector<DcpPiece> values;    // what is no tensor; `file` names where
  std::vector<std::string> value_names;
};

/// Errors: malformed, unsupported for items with transforms. `file` names it in them.
Result<DcpMetadata> read_dcp_metadata(const pickle::Tree& tree, pickle::NodeId root,
                                      const std::string& file);

}  // namespace samebits
