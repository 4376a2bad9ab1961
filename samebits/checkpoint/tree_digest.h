// What an inert value of a pickle says, as a digest: equal values have equal digests.
//
// For what stands beside the weights and is no tensor: `_extra_state`, numpy arrays, numbers,
// arrays of objects. Dicts and sets are equal in any order, a numpy array is its type, shape and
// bytes. Tensors and storages count only as being there: they are entries of their own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

struct TreeDigest {
  std::string digest;    // 32 hex digits
  bool complete = true;  // false: too large or too deep to be read whole
  /// The tensors inside, by their dotted path from the value, in order.
  std::vector<std::pair<std::string, NodeId>> tensors;
};

/// At most 100,000 values, 64 levels and 256 MiB of bytes.
TreeDigest digest_of_tree(const pickle::Tree& tree, NodeId node);

}  // namespace samebits
