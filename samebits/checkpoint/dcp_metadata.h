// What the .metadata of a distributed checkpoint says, as values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/dcp_tree.h"
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
  std::map<std::string, DcpPath> paths;  // of names, from the top; empty where they were flat

  /// Of a tensor or value; its whole name as one key where the metadata says nothing else.
  DcpPath path_of(const std::string& name) const;
};

/// Errors: malformed, unsupported for items with transforms. `file` names it in them.
Result<DcpMetadata> read_dcp_metadata(const pickle::Tree& tree, pickle::NodeId root,
                                      const std::string& file);

}  // namespace samebits
