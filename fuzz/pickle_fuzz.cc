// Any bytes as a pickle: read, and every accessor asked of every node.
#include <cstdint>
#include <cstdlib>

#include "samebits/container/pickle.h"

namespace {

using samebits::pickle::NodeId;
using samebits::pickle::Tree;

void require(bool condition) {
  if (!condition) std::abort();
}

void visit(const Tree& tree, NodeId id) {
  std::uint64_t sum = tree.offset(id) + tree.boolean(id) + tree.text(id).size();
  sum += static_cast<std::uint64_t>(tree.integer(id)) + (tree.real(id) != 0);
  asm volatile("" : : "r"(sum));  // so that nothing of it is left out
  require(tree.qualified_name(id).size() >= 3);
  for (const NodeId item : tree.items(id)) require(item < tree.size());
  for (const NodeId state : tree.states(id)) require(state < tree.size());
  for (const auto& [key, value] : tree.pairs(id)) require(key < tree.size() && value < tree.size());
  require(tree.callable(id) < tree.size() && tree.args(id) < tree.size());
  require(tree.kwargs(id) < tree.size() && tree.get(id, "state_dict") < tree.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto pickle = samebits::pickle::read({data, size}, "fuzz", 7);
  require(pickle.begin == 7 && pickle.end <= 7 + size);
  require(pickle.root < pickle.tree.size());
  for (NodeId id = 0; id < pickle.tree.size(); ++id) visit(pickle.tree, id);
  for (const NodeId global : pickle.globals) require(global < pickle.tree.size());
  for (const auto& call : pickle.calls)
    require(call.target < pickle.tree.size() && call.given < pickle.tree.size());
  if (pickle.error) require(!to_string(*pickle.error).empty());
  return 0;
}
