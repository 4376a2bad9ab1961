#include "samebits/checkpoint/torch_storage.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::Tree;

std::optional<std::pair<std::uint64_t, std::uint64_t>> read_view(const Tree& tree, NodeId node) {
  const auto parts = elements(tree, node);  // (key of the view, offset, numel)
  if (parts.size() != 3) return std::nullopt;
  const auto offset = as_integer(tree, parts[1]);
  const auto numel = as_integer(tree, parts[2]);
  if (!offset || !numel || *offset < 0 || *numel < 0) return std::nullopt;
  return std::pair{static_cast<std::uint64_t>(*offset), static_cast<std::uint64_t>(*numel)};
}

}  // namespace

std::optional<StorageId> StorageTable::id_of(const Tree& tree, NodeId node) const {
  const auto found = by_node.find(node);
  return found == by_node.end() ? read_storage_id(tree, node) : std::optional(found->second);
}

std::optional<std::string> key_of_id(const Tree& tree, NodeId node) {
  if (tree.kind(node) == Kind::integer) return std::to_string(tree.integer(node));
  return as_string(tree, node);
}

std::optional<StorageId> read_storage_id(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::persistent) return std::nullopt;
  const auto id = elements(tree, tree.args(node));
  if (id.size() < 5 || as_string(tree, id[0]) != "storage" || tree.kind(id[1]) != Kind::global)
    return std::nullopt;
  StorageId storage;
  const std::string type(tree.name(id[1]));
  storage.untyped = type == "UntypedStorage";
  if (const auto dtype = dtype_from_storage(type)) {
    storage.dtype = *dtype;
  } else if (!storage.untyped) {
    return std::nullopt;
  }
  const auto key = key_of_id(tree, id[2]);
  if (!key) return std::nullopt;
  storage.key = *key;
  storage.device = as_string(tree, id[3]).value_or("");
  const auto numel = as_integer(tree, id[4]);
  if (!numel || *numel < 0) return std::nullopt;
  storage.numel = static_cast<std::uint64_t>(*numel);
  if (id.size() > 5) storage.view = read_view(tree, id[5]);
  return storage;
}

}  // namespace samebits
