// The memo of an unpickler: from index to node.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "samebits/container/pickle.h"

namespace samebits::pickle {

/// Picklers number their memo from 0 or 1 without gaps: a vector. Any other index goes to a map
/// (ordered: no choice of indexes makes it slow), so that memory follows what was stored, not the
/// size of an index.
class Memo {
 public:
  void put(std::uint64_t index, NodeId node) {
    if (NodeId* slot = find(index)) {
      *slot = node;
      return;
    }
    ++count_;
    if (index >= dense_.size() + kGap) {
      sparse_[index] = node;
      return;
    }
    if (index >= dense_.size()) dense_.resize(index + 1, kEmpty);
    dense_[index] = node;
  }

  /// Null where nothing was put.
  NodeId* find(std::uint64_t index) {
    if (index < dense_.size() && dense_[index] != kEmpty) return &dense_[index];
    const auto entry = sparse_.find(index);
    return entry == sparse_.end() ? nullptr : &entry->second;
  }

  /// Entries that are set: the index that MEMOIZE uses.
  std::uint64_t count() const { return count_; }

 private:
  static constexpr NodeId kEmpty = ~NodeId{0};
  static constexpr std::uint64_t kGap = 8;
  std::vector<NodeId> dense_;
  std::map<std::uint64_t, NodeId> sparse_;
  std::uint64_t count_ = 0;
};

}  // namespace samebits::pickle
