#include "samebits/container/pickle_tree_builder.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "samebits/base/limits.h"

namespace samebits::pickle {
namespace {

constexpr std::uint64_t kOneMore = 1ull << 32;  // adds one to the count of a range

/// Gives each node of the given kinds its range of `out`, in order of nodes, and fills the ranges.
/// Before: a range's begin is 0, its count how often the log names its node.
template <class Node, class T>
void arrange(std::deque<Node>& nodes, std::vector<std::pair<NodeId, T>>& log, std::vector<T>& out,
             Kind kind, Kind other) {
  std::uint64_t end = out.size();
  for (Node& node : nodes) {
    if (node.kind != static_cast<std::uint64_t>(kind) &&
        node.kind != static_cast<std::uint64_t>(other))
      continue;
    const std::uint64_t count = node.value >> 32;
    node.value = end;
    end += count;
  }
  out.resize(end);
  for (const auto& [owner, value] : log) {
    std::uint64_t& range = nodes[owner].value;
    out[(range & 0xffffffff) + (range >> 32)] = value;
    range += kOneMore;
  }
  log = {};
}

/// Sorts by owner, keeping the order of one owner's values.
template <class T, class Attached>
void attach(std::vector<std::pair<NodeId, T>>& log, Attached& attached) {
  std::vector<std::uint32_t> order(log.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return log[a].first != log[b].first ? log[a].first < log[b].first : a < b;
  });
  attached.owners.reserve(log.size());
  attached.values.reserve(log.size());
  for (const std::uint32_t i : order) {
    attached.owners.push_back(log[i].first);
    attached.values.push_back(log[i].second);
  }
  log = {};
}

}  // namespace

TreeBuilder::TreeBuilder() {
  scalar(Kind::none, 0, 0);
  intern("");
}

bool TreeBuilder::full() const {
  const std::uint64_t longest =
      std::max({tree_.elements_.size() + appends_.size(), sets_.size(), opaque_appends_.size(),
                opaque_sets_.size(), states_.size()});
  return longest > std::numeric_limits<std::uint32_t>::max() - kLimits.pickle_stack;
}

NodeId TreeBuilder::scalar(Kind kind, std::uint64_t value, std::uint64_t offset) {
  tree_.nodes_.push_back({static_cast<std::uint64_t>(kind), offset & ((1ull << 56) - 1), value});
  return static_cast<NodeId>(tree_.nodes_.size() - 1);
}

NodeId TreeBuilder::borrowed(Kind kind, std::string_view text, std::uint64_t offset) {
  tree_.texts_.push_back(text);
  return scalar(kind, tree_.texts_.size() - 1, offset);
}

NodeId TreeBuilder::owned(Kind kind, std::string text, std::uint64_t offset) {
  tree_.owned_.push_back(std::move(text));
  return borrowed(kind, tree_.owned_.back(), offset);
}

NodeId TreeBuilder::tuple(Kind kind, std::span<const NodeId> elements, std::uint64_t offset) {
  const std::uint64_t begin = tree_.elements_.size();
  tree_.elements_.insert(tree_.elements_.end(), elements.begin(), elements.end());
  return scalar(kind, begin | elements.size() * kOneMore, offset);
}

NodeId TreeBuilder::object(CallKind call, NodeId callable, NodeId args, NodeId kwargs,
                           std::uint64_t offset) {
  tree_.objects_.push_back({callable, args, kwargs, call});
  return scalar(Kind::object, tree_.objects_.size() - 1, offset);
}

NodeId TreeBuilder::global(std::uint32_t module, std::uint32_t name, std::uint64_t offset) {
  return scalar(Kind::global, module | name * kOneMore, offset);
}

void TreeBuilder::append(NodeId target, NodeId item) {
  if (is_opaque(kind(target))) {
    opaque_appends_.emplace_back(target, item);
  } else {
    appends_.emplace_back(target, item);
    tree_.nodes_[target].value += kOneMore;
  }
}

void TreeBuilder::set(NodeId target, NodeId key, NodeId value) {
  if (is_opaque(kind(target))) {
    opaque_sets_.emplace_back(target, Pair(key, value));
  } else {
    sets_.emplace_back(target, Pair(key, value));
    tree_.nodes_[target].value += kOneMore;
  }
}

std::uint32_t TreeBuilder::intern(std::string_view text) {
  const auto next = static_cast<std::uint32_t>(tree_.texts_.size());
  const auto [entry, is_new] = interned_.try_emplace(text, next);
  if (is_new) {
    tree_.texts_.push_back(text);
    is_interned_.resize(next + 1);
    is_interned_[next] = true;
  }
  return entry->second;
}

std::uint32_t TreeBuilder::intern_node(NodeId text) {
  std::uint64_t& index = tree_.nodes_[text].value;
  if (index >= is_interned_.size() || !is_interned_[index]) index = intern(tree_.texts_[index]);
  return static_cast<std::uint32_t>(index);
}

NodeId TreeBuilder::copy_node(const Tree& other, NodeId id, NodeId shift) {
  const auto moved = [&](NodeId to) { return to == kNone ? kNone : to + shift; };
  const std::uint64_t offset = other.offset(id);
  switch (other.kind(id)) {
    case Kind::text:
    case Kind::bytes:
    case Kind::big_integer: return owned(other.kind(id), std::string(other.text(id)), offset);
    case Kind::tuple:
    case Kind::frozenset: {
      std::vector<NodeId> elements;
      for (const NodeId item : other.items(id)) elements.push_back(moved(item));
      return tuple(other.kind(id), elements, offset);
    }
    case Kind::list:
    case Kind::set:
    case Kind::dict: return scalar(other.kind(id), 0, offset);
    case Kind::global: {
      tree_.owned_.emplace_back(other.module(id));
      const std::uint32_t module = intern(tree_.owned_.back());
      tree_.owned_.emplace_back(other.name(id));
      return global(module, intern(tree_.owned_.back()), offset);
    }
    case Kind::object:
      return object(other.call_kind(id), moved(other.callable(id)), moved(other.args(id)),
                    moved(other.kwargs(id)), offset);
    case Kind::persistent: return scalar(Kind::persistent, moved(other.args(id)), offset);
    default: return scalar(other.kind(id), other.node(id).value, offset);
  }
}

NodeId TreeBuilder::graft(const Tree& other) {
  const auto shift = static_cast<NodeId>(size() - 1);
  for (NodeId id = 1; id < other.size(); ++id) copy_node(other, id, shift);
  const auto moved = [&](NodeId to) { return to == kNone ? kNone : to + shift; };
  for (NodeId id = 1; id < other.size(); ++id) {
    const Kind kind = other.kind(id);
    if (kind != Kind::tuple && kind != Kind::frozenset)
      for (const NodeId item : other.items(id)) append(id + shift, moved(item));
    for (const auto& [key, value] : other.pairs(id)) set(id + shift, moved(key), moved(value));
    for (const NodeId state : other.states(id)) add_state(id + shift, moved(state));
  }
  return shift;
}

Tree TreeBuilder::finish() {
  // Tuples have their elements already: only lists and sets are arranged.
  arrange(tree_.nodes_, appends_, tree_.elements_, Kind::list, Kind::set);
  arrange(tree_.nodes_, sets_, tree_.pairs_, Kind::dict, Kind::dict);
  attach(opaque_appends_, tree_.attached_items_);
  attach(opaque_sets_, tree_.attached_pairs_);
  attach(states_, tree_.states_);
  return std::move(tree_);
}

}  // namespace samebits::pickle
