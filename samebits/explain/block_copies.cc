#include "samebits/explain/block_copies.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/shards.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

std::string piece_text(const Pieces& pieces, std::size_t count) {
  return std::string(without_dot(joined_pieces(pieces, 0, count)));
}

/// A block, and the block of its list that it repeats.
struct BlockCopy {
  std::string block, of;
  auto operator<=>(const BlockCopy&) const = default;
};

class BlockCopies {
 public:
  explicit BlockCopies(const Subject& subject) : subject_(subject) {
    const std::size_t count = subject.checkpoint->weights().weights.size();
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::string& name = weight_name(subject, i);
      index_[name] = i;
      alike_[template_of(name)].push_back(name);
    }
  }

  /// All blocks that the tensor of this name repeats, by the innermost number that is another.
  std::set<BlockCopy> copies_of(const std::string& name) const {
    constexpr std::size_t kMostBlocks = 512;
    std::set<BlockCopy> found;
    const auto own = index_.find(name);
    const auto alike = alike_.find(template_of(name));
    if (own == index_.end() || alike == alike_.end()) return found;
    const Pieces pieces = split_name(name);
    std::size_t tried = 0;
    for (const std::string& other : alike->second) {
      if (other == name || ++tried > kMostBlocks) continue;
      const Pieces there = split_name(other);
      const auto [x, y] = std::ranges::mismatch(pieces, there);
      const auto at = static_cast<std::size_t>(x - pieces.begin());
      if (!std::equal(x + 1, pieces.end(), y + 1, there.end())) continue;
      if (have_equal_values(weight_entry(subject_, own->second),
                            weight_entry(subject_, index_.at(other))))
        found.insert({piece_text(pieces, at + 1), piece_text(there, at + 1)});
    }
    return found;
  }

  bool is_constant_tensor(const std::string& name) const {
    const auto own = index_.find(name);
    return own == index_.end() || is_constant(weight_entry(subject_, own->second).view);
  }

 private:
  const Subject& subject_;
  std::map<std::string, std::uint32_t> index_;
  std::map<std::string, std::vector<std::string>> alike_;
};

}  // namespace

std::string block_copies_text(const Subject& subject, const std::vector<std::string>& names) {
  constexpr std::size_t kMostNames = 4096;
  if (names.size() > kMostNames) return "";
  const BlockCopies blocks(subject);
  std::map<BlockCopy, std::size_t> times;
  std::set<BlockCopy> shown;  // by something else than constants, which all new norms share
  for (const std::string& name : names) {
    const bool constant = blocks.is_constant_tensor(name);
    for (const BlockCopy& copy : blocks.copies_of(name)) {
      ++times[copy];
      if (!constant) shown.insert(copy);
    }
  }
  std::vector<std::string> texts;
  std::string last;
  for (const auto& [copy, count] : times) {
    const auto in_block = std::ranges::count_if(
        names, [&](const std::string& name) { return name.starts_with(copy.block + "."); });
    if (count != static_cast<std::size_t>(in_block) || copy.block == last || !shown.contains(copy))
      continue;
    last = copy.block;
    texts.push_back(fmt::format("{} holds what {} holds", copy.block, copy.of));
  }
  if (texts.empty()) return "";
  return fmt::format("in {} {}, bit for bit: a block more, and no second name of one",
                     subject.label, some_of(texts));
}

}  // namespace samebits
