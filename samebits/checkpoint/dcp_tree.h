// The value that a distributed checkpoint was made of, put together from its items again.
//
// Source: torch 2.13.0 distributed/checkpoint/_nested_dict.py and _traverse.py: keys of dicts are
// written as text, indexes of lists as numbers. A key that is a number as text becomes a number
// here: dcp.load() finds its place by that text, so both are one key to it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "samebits/container/pickle_tree_builder.h"

namespace samebits {

/// One step into a dict or list.
struct DcpStep {
  std::string key;  // an index as text, too
  bool is_index = false;
};
using DcpPath = std::vector<DcpStep>;

class DcpTree {
 public:
  DcpTree();

  /// Puts a copy of `node` of `item` at `path`. False, and nothing is added, where the tree has
  /// grown over kLimits.pickle_nodes or the path is deeper than kLimits.tree_depth.
  bool add(const DcpPath& path, const pickle::Tree& item, pickle::NodeId node);

  /// The tree, whose root is a dict; this object is used up.
  std::pair<pickle::Tree, pickle::NodeId> finish();

 private:
  struct Branch {
    pickle::NodeId node = pickle::kNone;
    std::map<std::string, std::size_t> below;       // branches by key
    std::map<std::uint64_t, pickle::NodeId> items;  // of a list, by index
  };

  std::size_t branch_below(std::size_t parent, const DcpStep& step, bool is_list);
  void put(std::size_t parent, const DcpStep& step, pickle::NodeId value);

  pickle::TreeBuilder builder_;
  std::vector<Branch> branches_;
};

}  // namespace samebits
