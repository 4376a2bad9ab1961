#include "samebits/train/step_tree.h"

#include <algorithm>
#include <bit>

#include "samebits/base/error.h"

namespace samebits {
namespace {

bool holds(const LeafRange& outer, const LeafRange& inner) {
  return outer.first <= inner.first && inner.last <= outer.last;
}

void add_nodes(const LeafRange& node, const LeafRange& range, std::vector<LeafRange>* nodes) {
  if (common(node, range).size() == 0) return;
  if (holds(range, node)) return nodes->push_back(node);
  const std::size_t split = split_of(node);
  add_nodes({node.first, split}, range, nodes);
  add_nodes({split, node.last}, range, nodes);
}

}  // namespace

std::size_t split_of(const LeafRange& node) {
  SAMEBITS_CHECK(node.size() > 1);
  return node.first + std::bit_floor(node.size() - 1);
}

LeafRange common(const LeafRange& a, const LeafRange& b) {
  const std::size_t first = std::max(a.first, b.first);
  return {first, std::max(first, std::min(a.last, b.last))};
}

std::vector<LeafRange> nodes_inside(std::size_t leaves, const LeafRange& range) {
  std::vector<LeafRange> nodes;
  add_nodes({0, leaves}, range, &nodes);
  return nodes;
}

bool are_halves(std::size_t leaves, const LeafRange& left, const LeafRange& right) {
  const LeafRange both = {left.first, right.last};
  for (LeafRange node = {0, leaves}; node.size() > 1;) {
    const std::size_t split = split_of(node);
    if (node == both) return split == left.last && split == right.first;
    node = both.last <= split ? LeafRange{node.first, split} : LeafRange{split, node.last};
  }
  return false;
}

LeafRange leaves_of_rank(std::size_t leaves, std::size_t rank, std::size_t size) {
  const auto begin = [&](std::size_t of) { return (leaves * of + size - 1) / size; };
  return {begin(rank), begin(rank + 1)};
}

}  // namespace samebits
