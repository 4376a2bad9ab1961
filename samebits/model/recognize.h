// Which library and class of the ViT family wrote these names, and what each tensor is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/family/name_table.h"

namespace samebits::model {

/// A tensor of a checkpoint, without its values.
struct StoredShape {
  std::string name;
  Shape shape;
};

/// `tensor`, or one of `parts` equal pieces of it along dimension 0, plays a role.
struct Piece {
  std::string role;        // as in TensorSpec: "3:query.weight"
  std::size_t tensor = 0;  // index into the checkpoint's tensors
  std::int64_t part = 0;
  std::int64_t parts = 1;
};

/// A checkpoint read by one library's table.
struct Recognition {
  Library library = Library::transformers4;
  const ModelClass* model_class = nullptr;
  std::string prefix;     // in front of every name: "model."
  bool by_rules = false;  // only that library's loading rules make sense of the names
  Fields fields;          // from the shapes; `parts` as found
  std::vector<Piece> pieces;
  std::size_t tensors = 0;       // that have a place
  std::size_t inconsistent = 0;  // tensors whose shape contradicts the others
  std::size_t absent = 0;        // lines of the class's table of which there is no tensor
};

/// The best reading: most tensors with consistent shapes, then fewest absent lines, then `wanted`,
/// then the order of the libraries (transformers 4, timm, mae, torchvision, transformers 5) and
/// of their classes. Nothing where no tensor has a place, or where there are more than 8192
/// tensors, which no model of the family has.
std::optional<Recognition> recognize(const std::vector<StoredShape>& tensors,
                                     std::string_view wanted = {});

/// Position and length of the digits in `name` that stand for block `n`: the first run of them
/// that equals n between '.' or '_' and '.'. Nothing where there is none.
std::optional<std::pair<std::size_t, std::size_t>> find_block_number(std::string_view name,
                                                                     std::int64_t n);

}  // namespace samebits::model
