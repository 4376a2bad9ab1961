// Tensors that hold the rows of others in another order: query and key for another kind of rotary
// embedding, and query, key and value interleaved by heads (GPT-NeoX, Falcon, BLOOM, Megatron).
#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/equal_bytes.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/permuted_rows.h"
#include "samebits/compare/stacked_order.h"
#include "samebits/family/module_words.h"

namespace samebits {
namespace {

/// A sum that does not depend on the order of rows.
struct RowSum {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const RowSum&) const = default;
  RowSum& operator+=(const RowSum& other) {
    high += other.high;
    low += other.low;
    return *this;
  }
};

/// Where a row of a whole stands in its parts.
struct RowPlace {
  std::size_t part = 0, row = 0;
};

/// "q_proj" of "layers.0.self_attn.q_proj.weight".
std::string module_word(const std::string& name) {
  const Pieces pieces = split_name(name);
  const std::size_t at = pieces.size() < 2 ? 0 : pieces.size() - 2;
  return std::string(without_dot(pieces[at]));
}

/// Whether the runs of rows of one part come round and round in one order, each part from its first
/// row to its last, as heads are interleaved.
bool is_interleaved(const std::vector<RowPlace>& places, std::size_t parts) {
  std::vector<RowPlace> runs;  // the part, and its length
  std::vector<std::size_t> next(parts, 0);
  for (const RowPlace& place : places) {
    if (place.row != next[place.part]++) return false;
    if (runs.empty() || runs.back().part != place.part) runs.push_back({place.part, 0});
    ++runs.back().row;
  }
  if (runs.size() % parts != 0) return false;
  for (std::size_t i = parts; i < runs.size(); ++i)
    if (runs[i].part != runs[i - parts].part || runs[i].row != runs[i - parts].row) return false;
  return true;
}

class RowSets {
 public:
  RowSets(AlignmentState& state, bool whole_is_b)
      : state_(state),
        whole_is_b_(whole_is_b),
        whole_(whole_is_b ? state.b() : state.a()),
        parts_(whole_is_b ? state.a() : state.b()) {}

  void run() {
    const Groups wholes = open_tensors(true);
    const Groups parts = open_tensors(false);
    for (const auto& [key, members] : wholes) {
      const auto others = parts.find(key);
      if (others == parts.end() || members.size() * others->second.size() > kMostPairs) continue;
      for (const std::uint32_t whole : members) try_whole(whole, others->second);
    }
    for (const Found& found : found_) match_biases(found);
  }

 private:
  static constexpr std::size_t kMostPairs = 1 << 20;
  static constexpr std::size_t kMostParts = 12;
  static constexpr std::int64_t kMostRows = 1 << 20;
  using RowKey = std::pair<DType, Shape>;
  using Groups = std::map<RowKey, std::vector<std::uint32_t>>;

  /// A whole, the tensors that make it up, and where each of its rows stands in them.
  struct Found {
    std::uint32_t whole = 0;
    std::vector<std::uint32_t> parts;
    std::vector<RowPlace> places;
    std::string how;
    MatchKind kind = MatchKind::rearranged;
    bool is_elsewhere = false;  // under the name of another module, or in another block
  };

  bool is_free(bool of_whole, std::uint32_t i) const {
    return of_whole == whole_is_b_ ? state_.free_b(i) : state_.free_a(i);
  }

  bool has_partner(bool of_whole, std::uint32_t i) const {
    return of_whole == whole_is_b_ ? state_.back_by_name_or_role(i).has_value()
                                   : state_.expected(i).has_value();
  }

  Groups open_tensors(bool of_whole) const {
    const WeightSet& set = of_whole ? whole_ : parts_;
    Groups groups;
    for (std::uint32_t i = 0; i < set.tensors().size(); ++i) {
      const TensorView& view = set[i].view;
      if (!is_free(of_whole, i) || !set[i].identity.empty() || view.shape().size() < 2 ||
          view.shape()[0] < 2 || view.shape()[0] > kMostRows || view.numel() == 0 ||
          has_partner(of_whole, i) || set.is_constant(i))
        continue;
      groups[{view.dtype(), Shape(view.shape().begin() + 1, view.shape().end())}].push_back(i);
    }
    return groups;
  }

  RowSum sum_of(bool of_whole, std::uint32_t index) {
    const auto [at, is_new] = sums_.try_emplace({of_whole, index});
    if (!is_new) return at->second;
    const TensorView& view = (of_whole ? whole_ : parts_)[index].view;
    for (const Digest128& digest : row_digests(view, state_.threads()))
      at->second += RowSum{digest.high, digest.low};
    return at->second;
  }

  /// Parts of the same block, that are not longer than the whole. One alone may come from another.
  std::vector<std::uint32_t> candidates(std::uint32_t whole,
                                        const std::vector<std::uint32_t>& parts) const {
    const std::int64_t rows = whole_[whole].view.shape()[0];
    const std::vector<std::string> numbers = name_numbers(whole_[whole].name);
    std::vector<std::uint32_t> found;
    for (const std::uint32_t part : parts) {
      if (is_free(false, part) && parts_[part].view.shape()[0] <= rows &&
          name_numbers(parts_[part].name) == numbers)
        found.push_back(part);
    }
    return found;
  }

  void try_whole(std::uint32_t whole, const std::vector<std::uint32_t>& parts) {
    if (!is_free(true, whole)) return;
    const std::vector<std::uint32_t> near = candidates(whole, parts);
    if (near.empty() || near.size() > kMostParts) return;
    const std::int64_t rows = whole_[whole].view.shape()[0];
    for (std::uint32_t chosen = 1; chosen < (1U << near.size()); ++chosen) {
      // What whole tensors are compared with, one to one, need not be tried from both sides.
      if (std::popcount(chosen) == 1 && !whole_is_b_) continue;
      std::vector<std::uint32_t> members;
      std::int64_t total = 0;
      for (std::size_t i = 0; i < near.size(); ++i) {
        if ((chosen >> i & 1U) == 0) continue;
        members.push_back(near[i]);
        total += parts_[near[i]].view.shape()[0];
      }
      if (total == rows && have_its_rows(whole, members) && accept(whole, members)) return;
    }
  }

  bool have_its_rows(std::uint32_t whole, const std::vector<std::uint32_t>& members) {
    RowSum sum;
    for (const std::uint32_t part : members) sum += sum_of(false, part);
    return sum == sum_of(true, whole);
  }

  std::vector<RowPlace> places_of(std::uint32_t whole,
                                  const std::vector<std::uint32_t>& members) const {
    struct FoundRow {
      Digest128 digest;
      std::size_t part = 0, row = 0;
      auto operator<=>(const FoundRow&) const = default;
    };
    std::vector<FoundRow> there;
    for (std::size_t part = 0; part < members.size(); ++part) {
      const auto digests = row_digests(parts_[members[part]].view, state_.threads());
      for (std::size_t row = 0; row < digests.size(); ++row)
        there.push_back({digests[row], part, row});
    }
    std::vector<FoundRow> here;
    const auto digests = row_digests(whole_[whole].view, state_.threads());
    for (std::size_t row = 0; row < digests.size(); ++row) here.push_back({digests[row], 0, row});
    if (here.size() != there.size()) return {};
    std::ranges::sort(here);
    std::ranges::sort(there);
    std::vector<RowPlace> places(here.size());
    for (std::size_t i = 0; i < here.size(); ++i) {
      if (here[i].digest != there[i].digest) return {};
      places[here[i].row] = {there[i].part, there[i].row};
    }
    return places;
  }

  bool accept(std::uint32_t whole, const std::vector<std::uint32_t>& members) {
    Found found{.whole = whole, .parts = members, .places = places_of(whole, members)};
    if (found.places.empty()) return false;
    members.size() == 1 ? name_order(&found) : name_interleaving(&found);
    add(found);
    found_.push_back(std::move(found));
    return true;
  }

  /// Meta's names say that its code reads pairs, and others that theirs reads halves: then each
  /// side has its rows as it needs them.
  void name_order(Found* found) const {
    std::vector<std::size_t> order;
    for (const RowPlace& place : found->places) order.push_back(place.row);
    found->how = row_order_text(order, "rows");
    const auto is_metas = [](const std::string& name) {
      const std::string word = module_word(name);
      return word == "wq" || word == "wk";
    };
    const bool from_meta = is_metas(parts_[found->parts[0]].name);
    const bool to_meta = is_metas(whole_[found->whole].name);
    const std::string_view wanted = to_meta ? kRotaryToPairs : kRotaryToHalves;
    if (from_meta == to_meta || found->how.find(wanted) == std::string::npos)
      found->kind = MatchKind::exchanged;
    name_other_module(found);
  }

  /// The rows of a key under the name of a query, or those of another block.
  void name_other_module(Found* found) const {
    const NamedTensor& part = parts_[found->parts[0]];
    const NamedTensor& whole = whole_[found->whole];
    const std::string word = module_word(part.name);
    const std::string contrary = contrary_order(whole, {&part});
    const bool are_rivals =
        model::are_rivals(model::module_word(word), model::module_word(module_word(whole.name)));
    if (!are_rivals && contrary.empty()) return;
    found->kind = MatchKind::exchanged;
    found->how = are_rivals ? fmt::format("holds the rows of {}", word) : contrary;
    found->is_elsewhere = true;
  }

  /// The parts in the order in which they come first, and how many rows of each at a time.
  void name_interleaving(Found* found) const {
    std::vector<std::string> words;
    std::vector<std::string> lengths;
    std::vector<const NamedTensor*> order;
    for (std::size_t i = 0; i < found->places.size() && words.size() < found->parts.size(); ++i) {
      const std::size_t part = found->places[i].part;
      if (i > 0 && found->places[i - 1].part == part) continue;
      std::size_t end = i;
      while (end < found->places.size() && found->places[end].part == part) ++end;
      order.push_back(&parts_[found->parts[part]]);
      words.push_back(module_word(order.back()->name));
      lengths.push_back(std::to_string(end - i));
    }
    const std::string contrary = contrary_order(whole_[found->whole], order);
    if (!is_interleaved(found->places, found->parts.size())) {
      found->how =
          fmt::format("holds the rows of {} in an order of its own", fmt::join(words, ", "));
    } else if (!contrary.empty()) {
      found->how = contrary;
    } else {
      const bool one_length = std::set(lengths.begin(), lengths.end()).size() == 1;
      found->how =
          fmt::format("rows of {} interleaved, {} at a time", fmt::join(words, ", "),
                      one_length ? lengths[0] : fmt::format("{}", fmt::join(lengths, ", ")));
      return;
    }
    found->kind = MatchKind::exchanged;
  }

  void add(const Found& found) {
    TensorMatch match{.kind = found.kind, .how = found.how};
    match.a = whole_is_b_ ? found.parts : std::vector{found.whole};
    match.b = whole_is_b_ ? std::vector{found.whole} : found.parts;
    if (found.kind == MatchKind::exchanged)
      state_.contrary.push_back(
          {whole_[found.whole].name,
           found.parts.size() == 1 && !found.is_elsewhere ? "has " + found.how : found.how, match});
    state_.match(std::move(match));
  }

  /// The bias of a matrix, whose elements stand as the matrix's rows do.
  void match_biases(const Found& found) {
    const auto twin = [](const WeightSet& set, std::uint32_t index) {
      constexpr std::string_view kWeight = "weight";
      const std::string& name = set[index].name;
      return name.ends_with(kWeight)
                 ? set.find(name.substr(0, name.size() - kWeight.size()) + "bias")
                 : std::nullopt;
    };
    const auto whole = twin(whole_, found.whole);
    if (!whole || !is_free(true, *whole)) return;
    Found bias{.whole = *whole, .parts = {}, .places = {}, .how = found.how, .kind = found.kind};
    std::vector<std::vector<Digest128>> digests;
    for (const std::uint32_t part : found.parts) {
      const auto index = twin(parts_, part);
      if (!index || !is_free(false, *index) || parts_[*index].view.shape().size() != 1 ||
          parts_[*index].view.dtype() != whole_[*whole].view.dtype() ||
          parts_[*index].view.shape()[0] != parts_[part].view.shape()[0])
        return;
      bias.parts.push_back(*index);
      digests.push_back(row_digests(parts_[*index].view, state_.threads()));
    }
    const TensorView& view = whole_[*whole].view;
    if (view.shape().size() != 1 || view.numel() != found.places.size()) return;
    const auto own = row_digests(view, state_.threads());
    for (std::size_t i = 0; i < own.size(); ++i)
      if (own[i] != digests[found.places[i].part][found.places[i].row]) return;
    add(bias);
  }

  AlignmentState& state_;
  bool whole_is_b_;
  WeightSet& whole_;
  WeightSet& parts_;
  std::map<std::pair<bool, std::uint32_t>, RowSum> sums_;
  std::vector<Found> found_;
};

}  // namespace

void match_row_sets(AlignmentState& state) {
  state.learn_rules();
  RowSets(state, true).run();
  RowSets(state, false).run();
  state.learn_rules();
}

}  // namespace samebits
