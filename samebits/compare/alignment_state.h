// An alignment under way: what is matched so far, and the steps, each of which matches more.
//
// Only for compare_weights() in alignment.cc, which says in what order the steps are taken.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "samebits/compare/alignment.h"
#include "samebits/compare/alike_names.h"
#include "samebits/compare/module_partners.h"

namespace samebits {

struct Link {
  std::uint32_t a = 0, b = 0;
};

/// B's tensor `link.b` holds the bytes of A's `link.a`, which belong to B's tensor `expected`.
struct Misplaced {
  Link link;
  std::uint32_t expected = 0;
};

class AlignmentState {
 public:
  AlignmentState(WeightSet& a, WeightSet& b, const CompareOptions& options);

  WeightSet& a() { return a_; }
  WeightSet& b() { return b_; }
  int threads() const { return options_.threads; }
  const CompareOptions& options() const { return options_; }
  bool free_a(std::uint32_t index) const { return !taken_a_[index]; }
  bool free_b(std::uint32_t index) const { return !taken_b_[index]; }
  std::vector<std::uint32_t> all_free_a() const;
  std::vector<std::uint32_t> all_free_b() const;

  void match(TensorMatch match);
  void match(Link link, MatchKind kind, std::string how = "");
  /// Tensors that belong to other partners than those that their names gave them.
  void rematch(const std::vector<Link>& links);
  const std::vector<TensorMatch>& matches() const { return matches_; }
  std::vector<TensorMatch>& matches() { return matches_; }

  /// Notes that B holds a tensor of A in the wrong place, which belongs to its home from now on.
  void misplace(const Misplaced& found);
  const std::vector<Misplaced>& misplaced() const { return misplaced_; }

  /// The free tensor of B that belongs to a free one of A by name, or else by role.
  std::optional<std::uint32_t> by_name_or_role(std::uint32_t index_a) const;
  /// The same, seen from B.
  std::optional<std::uint32_t> back_by_name_or_role(std::uint32_t index_b) const;
  /// The free tensors of A, or of B, that have these roles, each alone; empty unless all are there.
  std::vector<std::uint32_t> of_roles(bool in_a, const std::vector<std::string>& roles) const;
  /// By name, by role, or else by the rules that the matches under other names teach; where those
  /// lead nowhere, by the partners of the modules around it.
  std::optional<std::uint32_t> expected(std::uint32_t index_a) const;
  /// Learns those rules anew, or from these examples; keeps those that explain all of them.
  void learn_rules();
  /// True where they are new.
  bool learn_rules(const std::vector<NamePair>& examples);
  /// Those that the matches teach, and no other examples.
  const RenameRules& rules_of_matches();
  const RenameRules& rules() const { return rules_; }
  /// The matches under other names, one to one and not exchanged.
  std::vector<NamePair> renamed_pairs() const;

  /// Tensors whose values are all there, in an order or a place that is not theirs; in words.
  struct Contrary {
    std::string name;
    std::string how;  // "is stacked in the order k, q, v instead of q, k, v"
    TensorMatch match;
  };
  std::vector<Contrary> contrary;
  std::vector<std::string> unreadable;
  /// Pairs that may still be tried where every tensor could be tried with every other.
  WorkBudget names_left{1'000'000};
  /// What was left untried, in words; the second kind leaves open whether values are equal.
  std::vector<std::string> names_unsearched, values_unsearched;

 private:
  WeightSet& a_;
  WeightSet& b_;
  const CompareOptions& options_;
  std::vector<bool> taken_a_, taken_b_;
  std::vector<TensorMatch> matches_;
  std::map<std::string, std::uint32_t> role_a_, role_b_;  // tensors that are one thing, and alone
  ModulePartners modules_;
  std::size_t learnt_from_ = 0;
  std::optional<std::size_t> rules_of_matches_;  // that the rules were learnt from, and no others
  std::vector<Misplaced> misplaced_;
  std::map<std::uint32_t, std::uint32_t> home_in_b_, home_in_a_;  // of misplaced tensors
  RenameRules rules_;
};

/// Sets aside what has no bytes; matches the same name with the same bytes.
void match_same_names(AlignmentState& state);
/// Matches the same bytes under other names, and notes what is misplaced.
void match_same_bytes(AlignmentState& state);
/// Of tensors with the same bytes that nothing tells apart, pairs those whose names are most alike.
/// Not constants: their bytes say nothing.
void match_interchangeable(AlignmentState& state);
/// Matches tensors that others, stacked along dimension 0, make up.
void match_compositions(AlignmentState& state);
/// Matches transposes and other permutations of dimensions.
void match_transposes(AlignmentState& state);
/// Of tensors that no name or role gives a partner, matches those whose rows stand in one of the
/// other side in another order, or interleaved with the rows of others (query, key and value of
/// each head).
void match_row_sets(AlignmentState& state);
/// Of the transposes those that no convention explains: see TensorMatch::in_place.
void mark_in_place(const WeightSet& a, const WeightSet& b, std::vector<TensorMatch>* matches);
/// Pairs what is left, by name, role, rule, rounded values, or alike names, and says how the values
/// of each pair are related.
void match_rest(AlignmentState& state);
/// Where all else has a partner, pairs the modules of constants that are left on both sides in
/// equal numbers: whichever belongs to which, their values are the same.
void match_constant_modules(AlignmentState& state);

/// Of links between equal bytes those of blocks that one side has under other numbers, where the
/// other has other ones or more: they are at home where they are, and the constants of these blocks
/// with them.
struct KeptBlocks {
  std::vector<Link> links, constants;
};
KeptBlocks kept_blocks(AlignmentState& state, const std::vector<Link>& links);

/// Of links between names that only one side has, those that contradict the others: a block under
/// another block's number, a query under the name of the key. Removes them from `links`.
/// A search that was cut short is said in `unsearched`.
std::vector<Misplaced> take_misplaced(const WeightSet& a, const WeightSet& b,
                                      std::vector<Link>* links,
                                      std::vector<std::string>* unsearched);
/// The weight of a module goes with its bias, and a mean is no bias, whatever modules are called:
/// two tensors that lead each to the module of the other's companions are exchanged, and so are two
/// of one module that lead each to the other's last word.
void take_apart_modules(const WeightSet& a, const WeightSet& b, std::vector<Link>* links,
                        std::vector<Misplaced>* misplaced);
/// Libraries count alike, from 0 or from 1, in one number or in two: of names that differ in
/// numbers only, the few whose numbers do not keep the order of all others are exchanged.
void take_out_of_order(const WeightSet& a, const WeightSet& b, std::vector<Link>* links,
                       std::vector<Misplaced>* misplaced);
/// In words; one Exchange for each permutation.
std::vector<Exchange> describe_misplaced(const WeightSet& a, const WeightSet& b,
                                         const std::vector<Misplaced>& misplaced);
/// One Exchange for what is alike in several blocks, and in a layer's weight and bias.
std::vector<Exchange> describe_contrary(const WeightSet& a, const WeightSet& b,
                                        const std::vector<AlignmentState::Contrary>& contrary);

/// What is tied on one side and not on the other.
std::vector<TieDifference> tie_differences(const WeightSet& a, const WeightSet& b,
                                           const std::vector<TensorMatch>& matches,
                                           const CompareOptions& options);

}  // namespace samebits
