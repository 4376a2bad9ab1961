// Blocks that one side has under other numbers than the other, which has as many or more of them: a
// student of some of a teacher's layers, a model whose layers were dropped, one that counts layers
// without weights too.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

std::optional<std::uint64_t> number_of(std::string_view piece) {
  const std::string_view text = without_dot(piece);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

/// The blocks under one name in front of their numbers: "encoder.layer.".
struct BlockList {
  std::map<std::uint64_t, std::uint64_t> to;  // a block of A, and where B has it
  std::set<std::uint64_t> blocks_a, blocks_b;
  std::vector<Link> links;
  bool clear = true;  // no block has two places

  void place(std::uint64_t from, std::uint64_t at) {
    clear = to.try_emplace(from, at).first->second == at && clear;
  }

  /// One side's blocks all stand in the other, in their order, under some other numbers: 0, 2, 4 of
  /// a Sequential whose activations are modules for 0, 1, 2.
  bool is_selection() const {
    const std::size_t fewer = std::min(blocks_a.size(), blocks_b.size());
    if (!clear || blocks_a == blocks_b || to.size() != fewer) return false;
    return std::ranges::is_sorted(
        to, [](const auto& x, const auto& y) { return x.second <= y.second; });
  }
};

class BlockLists {
 public:
  BlockLists(const AlignmentState& state, const WeightSet& a, const WeightSet& b)
      : state_(state), a_(a), b_(b) {}

  /// A link between names that differ in one number alone.
  void add(const Link& link) {
    const Pieces from = split_name(a_[link.a].name), to = split_name(b_[link.b].name);
    const auto at = renumbered_piece(from, to);
    const auto here = at ? number_of(from[*at]) : std::nullopt;
    const auto there = at ? number_of(to[*at]) : std::nullopt;
    if (!here || !there) return;
    BlockList& list = lists_[joined_pieces(from, 0, *at)];
    list.place(*here, *there);
    list.links.push_back(link);
  }

  KeptBlocks selections() {
    count_blocks(a_, &BlockList::blocks_a);
    count_blocks(b_, &BlockList::blocks_b);
    for (const TensorMatch& match : state_.matches())
      if (match.kind == MatchKind::same && !match.a.empty()) stay(match.a[0]);
    KeptBlocks kept;
    for (const auto& [name, list] : lists_) {
      if (!list.is_selection()) continue;
      kept.links.insert(kept.links.end(), list.links.begin(), list.links.end());
      add_constants(name, list, &kept.constants);
    }
    return kept;
  }

 private:
  template <class Visit>
  void for_each_block(const std::string& name, Visit visit) {
    const Pieces pieces = split_name(name);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto number = number_of(pieces[i]);
      if (!number) continue;
      const auto list = lists_.find(joined_pieces(pieces, 0, i));
      if (list != lists_.end()) visit(list->second, *number);
    }
  }

  void count_blocks(const WeightSet& side, std::set<std::uint64_t> BlockList::* blocks) {
    for (std::uint32_t i = 0; i < side.tensors().size(); ++i)
      for_each_block(side[i].name,
                     [&](BlockList& list, std::uint64_t number) { (list.*blocks).insert(number); });
  }

  /// Under the names that they have where their blocks stand.
  void add_constants(const std::string& name, const BlockList& list, std::vector<Link>* links) {
    for (std::uint32_t i = 0; i < a_.tensors().size(); ++i) {
      const std::string& own = a_[i].name;
      if (!own.starts_with(name) || !a_.is_constant(i)) continue;
      const Pieces pieces = split_name(own);
      const std::size_t at = split_name(name).size();
      const auto place = at < pieces.size() && number_of(pieces[at])
                             ? list.to.find(*number_of(pieces[at]))
                             : list.to.end();
      if (place == list.to.end()) continue;
      const std::string_view behind =
          std::string_view(own).substr(name.size() + without_dot(pieces[at]).size());
      const auto there = b_.find(name + std::to_string(place->second) + std::string(behind));
      if (there) links->push_back({i, *there});
    }
  }

  /// Equal under its own name. A constant says nothing of where its block stands.
  void stay(std::uint32_t index) {
    if (a_.is_constant(index)) return;
    for_each_block(a_[index].name,
                   [](BlockList& list, std::uint64_t number) { list.place(number, number); });
  }

  const AlignmentState& state_;
  const WeightSet &a_, &b_;
  std::map<std::string, BlockList> lists_;
};

}  // namespace

KeptBlocks kept_blocks(AlignmentState& state, const std::vector<Link>& links) {
  if (links.empty()) return {};
  BlockLists lists(state, state.a(), state.b());
  for (const Link& link : links) lists.add(link);
  return lists.selections();
}

}  // namespace samebits
