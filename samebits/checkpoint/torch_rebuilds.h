// The functions by which torch's pickles make tensors.
#pragma once

#include <cstdint>
#include <optional>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// How to read the arguments of such a function.
enum class Rebuild : std::uint8_t {
  tensor_v1,
  tensor_v2,
  tensor_v3,
  qtensor,
  parameter,
  sparse,
  nested,
  meta,
  from_type,
  numpy,
  wrapped,
};

/// Nothing where the node is no call of one of them.
std::optional<Rebuild> rebuild_of(const pickle::Tree& tree, pickle::NodeId node);

}  // namespace samebits
