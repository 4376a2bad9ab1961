#include "samebits/checkpoint/dcp_tree.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::NodeId;

/// The number that `key` is the text of; nothing for any other text, "007" too.
std::optional<std::uint64_t> number_of_key(const std::string& key) {
  constexpr std::size_t kLongest = 15;
  const bool plain = !key.empty() && key.size() <= kLongest && (key[0] != '0' || key.size() == 1) &&
                     std::ranges::all_of(key, [](char c) { return c >= '0' && c <= '9'; });
  if (!plain) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(key.data(), key.data() + key.size(), number);
  return number;
}

}  // namespace

DcpTree::DcpTree() { branches_.push_back({.node = builder_.scalar(Kind::dict, 0, 0)}); }

void DcpTree::put(std::size_t parent, const DcpStep& step, NodeId value) {
  Branch& branch = branches_[parent];
  const std::optional<std::uint64_t> number = number_of_key(step.key);
  if (builder_.kind(branch.node) == Kind::list) {
    branch.items[number.value_or(branch.items.size())] = value;
    return;
  }
  const NodeId key =
      number ? builder_.scalar(Kind::integer, *number, 0) : builder_.owned(Kind::text, step.key, 0);
  builder_.set(branch.node, key, value);
}

std::size_t DcpTree::branch_below(std::size_t parent, const DcpStep& step, bool is_list) {
  const auto known = branches_[parent].below.find(step.key);
  if (known != branches_[parent].below.end()) return known->second;
  const NodeId node = builder_.scalar(is_list ? Kind::list : Kind::dict, 0, 0);
  put(parent, step, node);
  branches_.push_back({.node = node});
  return branches_[parent].below[step.key] = branches_.size() - 1;
}

bool DcpTree::add(const DcpPath& path, const pickle::Tree& item, NodeId node) {
  const bool fits = builder_.size() + item.size() + 2 * path.size() <= kLimits.pickle_nodes;
  if (path.empty() || path.size() > kLimits.tree_depth || !fits) return false;
  const NodeId shift = builder_.graft(item);
  std::size_t at = 0;
  for (std::size_t i = 0; i + 1 < path.size(); ++i)
    at = branch_below(at, path[i], path[i + 1].is_index);
  put(at, path.back(), node == pickle::kNone ? pickle::kNone : node + shift);
  return true;
}

std::pair<pickle::Tree, NodeId> DcpTree::finish() {
  for (const Branch& branch : branches_) {
    for (const auto& [index, value] : branch.items) builder_.append(branch.node, value);
  }
  return {builder_.finish(), branches_[0].node};
}

}  // namespace samebits
