// Bytes as a pickle holds them, whatever its protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// Text whose characters are below 256, as the bytes that it stands for (protocols 0 to 2); nothing
/// for other text.
std::shared_ptr<std::vector<std::uint8_t>> latin1_bytes(std::string_view text);

/// True where `text` is part of `file`, which outlives a tree.
bool stands_in(Bytes file, std::string_view text);

struct PickledBytes {
  Bytes bytes;  // borrows the file or `owned`
  std::shared_ptr<std::vector<std::uint8_t>> owned;
};

/// The value of a node that is bytes, or _codecs.encode(text, "latin1"); nothing for any other.
/// What does not stand in `file` is copied.
std::optional<PickledBytes> pickled_bytes(const pickle::Tree& tree, NodeId node, Bytes file);

}  // namespace samebits
