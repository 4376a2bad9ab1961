// The tree in which the leaves of a step are added, and which parts of it a pass or a rank holds.
//
// Of n leaves the first p, the largest power of two below n, are one side. A node is a range of
// leaves whose sum the tree has. The tree depends on the number of leaves alone.
#pragma once

#include <cstddef>
#include <vector>

namespace samebits {

/// Leaves [first, last).
struct LeafRange {
  std::size_t first = 0, last = 0;

  std::size_t size() const { return last - first; }
  bool operator==(const LeafRange&) const = default;
};

/// Where the second half of a node begins. Requires two leaves or more.
std::size_t split_of(const LeafRange& node);

/// Leaves that both have.
LeafRange common(const LeafRange& a, const LeafRange& b);

/// The largest nodes of a tree of `leaves` inside a range, in their order.
std::vector<LeafRange> nodes_inside(std::size_t leaves, const LeafRange& range);

/// Whether the tree adds these two nodes to one another.
bool are_halves(std::size_t leaves, const LeafRange& left, const LeafRange& right);

/// The leaves of one of `size` ranks: as many as of any other, or one less.
LeafRange leaves_of_rank(std::size_t leaves, std::size_t rank, std::size_t size);

}  // namespace samebits
