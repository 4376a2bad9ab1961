// Which calls of a pickle only put data together, by what they call and what they are given.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "samebits/checkpoint/plain_call_table.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {

enum class CallEffect : std::uint8_t {
  plain,       // reconstructs data
  constructs,  // makes an object of a class that is no part of Python, or keeps a layer's function
  acts,        // anything else
};

/// What can be called, or a class, by name: a global, or how it would be computed.
struct Callee {
  std::string name;
  const PlainCall* plain = nullptr;
  bool is_foreign_class = false;  // of a package that is not Python's and leads nowhere else
};

/// Judges the calls of one tree, which it borrows. Every node is judged once, so the cost is linear
/// in the tree; nesting beyond kDeepest and cycles are not plain, which no checkpoint has.
class PlainCalls {
 public:
  explicit PlainCalls(const pickle::Tree& tree);

  CallEffect effect(NodeId object) { return effect(object, 0); }
  const Callee& callee(NodeId callable);
  /// What the object is made by: its class, where it is one that is constructed, else what is
  /// called.
  NodeId maker(NodeId object) const;
  /// Classes of tensors that a plain call is given and that are no part of torch or numpy: their
  /// own code runs on the data.
  std::vector<NodeId> types_given(NodeId object);
  /// False where a BUILD's state would set what the unpickler looks up in an object and calls.
  bool is_safe_state(NodeId state);

 private:
  enum class Memo : std::uint8_t { unknown, open, no, yes };
  static constexpr int kDeepest = 60;
  static constexpr std::size_t kMostArguments = 64;

  CallEffect effect(NodeId object, int depth);
  CallEffect judge(NodeId object, int depth);
  CallEffect judge_construction(NodeId object, NodeId made, int depth);
  bool fit(const PlainCall& call, std::span<const NodeId> arguments, int depth);
  bool fits(Arg arg, NodeId node, std::span<const NodeId> arguments, int depth);
  bool is_data(NodeId node, int depth);
  bool judge_data(NodeId node, int depth);
  bool is_data_object(NodeId object, int depth);
  bool are_data(std::span<const NodeId> nodes, int depth);
  bool are_data(std::span<const std::pair<NodeId, NodeId>> pairs, int depth);
  bool are_pairs(NodeId node, int depth);
  bool judge_pairs(NodeId node, int depth);
  bool is_listed_or(NodeId object, bool makes_tensor, int depth);
  bool is_type(NodeId node);
  bool is_stored(NodeId node) const;
  bool is_empty_mapping(NodeId node) const;
  bool keeps_computation(NodeId object);
  bool gets_by_name(NodeId object) const;
  bool is_torch_function(NodeId object) const;
  bool is_member(NodeId object);
  bool has_inert_base(NodeId object, int depth);
  bool sets_only_data_attributes(NodeId state) const;

  const pickle::Tree& tree_;
  std::unordered_map<NodeId, Callee> callees_;
  std::vector<std::uint8_t> effects_;  // 0 unknown, else CallEffect + 1
  std::vector<Memo> data_, pairs_, states_;
};

}  // namespace samebits
