// The inert tree: access to its nodes.
#include <algorithm>
#include <bit>

#include "samebits/container/pickle.h"

namespace samebits::pickle {
namespace {

struct Range {
  std::uint32_t begin, count;
};
Range unpack(std::uint64_t value) {
  return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
}

bool has_elements(Kind kind) {
  return kind == Kind::list || kind == Kind::tuple || kind == Kind::set || kind == Kind::frozenset;
}

}  // namespace

bool is_opaque(Kind kind) {
  return kind == Kind::object || kind == Kind::global || kind == Kind::persistent ||
         kind == Kind::extension || kind == Kind::buffer;
}

template <class T>
std::span<const T> Tree::Attached<T>::of(NodeId owner) const {
  const auto [first, last] = std::equal_range(owners.begin(), owners.end(), owner);
  return std::span<const T>(values).subspan(first - owners.begin(), last - first);
}

bool Tree::boolean(NodeId id) const { return kind(id) == Kind::boolean && node(id).value != 0; }

std::int64_t Tree::integer(NodeId id) const {
  const bool has = kind(id) == Kind::integer || kind(id) == Kind::extension;
  return has ? static_cast<std::int64_t>(node(id).value) : 0;
}

double Tree::real(NodeId id) const {
  return kind(id) == Kind::real ? std::bit_cast<double>(node(id).value) : 0.0;
}

std::string_view Tree::text(NodeId id) const {
  const Kind k = kind(id);
  const bool has = k == Kind::text || k == Kind::bytes || k == Kind::big_integer;
  return has ? texts_[node(id).value] : std::string_view();
}

std::string_view Tree::module(NodeId id) const {
  return kind(id) == Kind::global ? texts_[unpack(node(id).value).begin] : std::string_view();
}

std::string_view Tree::name(NodeId id) const {
  return kind(id) == Kind::global ? texts_[unpack(node(id).value).count] : std::string_view();
}

std::string Tree::qualified_name(NodeId id) const {
  const auto known = [](std::string_view part) { return part.empty() ? "?" : part; };
  return std::string(known(module(id))) + "." + std::string(known(name(id)));
}

std::span<const NodeId> Tree::items(NodeId id) const {
  const Kind k = kind(id);
  if (is_opaque(k)) return attached_items_.of(id);
  if (!has_elements(k)) return {};
  const Range range = unpack(node(id).value);
  return std::span(elements_).subspan(range.begin, range.count);
}

std::span<const std::pair<NodeId, NodeId>> Tree::pairs(NodeId id) const {
  const Kind k = kind(id);
  if (is_opaque(k)) return attached_pairs_.of(id);
  if (k != Kind::dict) return {};
  const Range range = unpack(node(id).value);
  return std::span(pairs_).subspan(range.begin, range.count);
}

CallKind Tree::call_kind(NodeId id) const {
  return kind(id) == Kind::object ? objects_[node(id).value].kind : CallKind::reduce;
}

NodeId Tree::callable(NodeId id) const {
  return kind(id) == Kind::object ? objects_[node(id).value].callable : kNone;
}

NodeId Tree::args(NodeId id) const {
  if (kind(id) == Kind::persistent) return static_cast<NodeId>(node(id).value);
  return kind(id) == Kind::object ? objects_[node(id).value].args : kNone;
}

NodeId Tree::kwargs(NodeId id) const {
  return kind(id) == Kind::object ? objects_[node(id).value].kwargs : kNone;
}

std::span<const NodeId> Tree::states(NodeId id) const {
  SAMEBITS_CHECK(id < size());
  return states_.of(id);
}

NodeId Tree::get(NodeId dict, std::string_view key) const {
  const auto all = pairs(dict);
  for (auto it = all.rbegin(); it != all.rend(); ++it)
    if (kind(it->first) == Kind::text && text(it->first) == key) return it->second;
  return kNone;
}

bool Tree::is_global(NodeId id, std::string_view module_, std::string_view name_) const {
  return kind(id) == Kind::global && module(id) == module_ && name(id) == name_;
}

}  // namespace samebits::pickle
