// What the files of one ZeRO save say of the weights in its partitions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/tree_view.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

using NamedShapes = std::vector<std::pair<std::string, Shape>>;

struct ZeroModelState {
  std::vector<NamedShapes> groups;  // param_shapes
  NamedShapes frozen;               // frozen_param_shapes
  std::vector<std::string> buffers;
  std::vector<std::pair<std::string, std::string>> shared;  // a name, and the one that it shares
  bool has_shapes = false;
};

struct ZeroPartitionState {
  std::optional<std::int64_t> stage;
  std::uint64_t partitions = 0;  // the largest of partition_count; 0 where there is none
};

ZeroModelState zero_model_state(const pickle::Tree& tree, NodeId root);
ZeroPartitionState zero_partition_state(const pickle::Tree& tree, NodeId root);

}  // namespace samebits
