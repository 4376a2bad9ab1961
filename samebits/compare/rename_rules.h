// Rules that turn the names of one state_dict into those of another, learnt from examples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace samebits {

/// from and to are templates: "{n}" stands for a number, the same in both ("layers.{n}." to
/// "encoder.layer.{n}."). A prefix that B adds is {"", "model."}.
struct RenameRule {
  std::string from, to;
  std::uint32_t count = 0;  // tensors that it accounts for
};

struct NamePair {
  std::string a, b;
};

/// Few rules that, together, map every example's a to its b: a prefix that one side has; runs of
/// pieces (see name_pieces.h) that stand for others, with as many pieces in front as it takes to
/// tell them apart; whole names where that is not enough. Applied from left to right, the longest
/// that fits first, after the prefix. Where one side has slashes and the other dots, {"/", "."}
/// goes first, or {".", "/"} last, and the others are written with dots.
class RenameRules {
 public:
  static RenameRules learn(const std::vector<NamePair>& examples_as_written);

  /// The name in B of A's `name`; the name itself where no rule applies.
  std::string apply(std::string_view name) const;

  /// Those that `names` of A need, with how many of them; the prefix leads, then the most used.
  std::vector<RenameRule> used_by(const std::vector<std::string>& names) const;

 private:
  // Runs of pieces are joined by a character that no name has, numbers as "{n}.".
  struct Rule {
    std::string from, to;
    std::string hunk;  // `from` without the pieces in front
  };
  struct Fired {
    std::size_t rule;
    std::size_t at;  // the piece of the stripped name
  };
  struct Example;
  class Learner;

  void find_prefix(const std::vector<NamePair>& examples);
  std::string_view strip(std::string_view name, bool* stripped) const;
  std::string apply_dotted(std::string_view name) const;
  std::string transform(std::string_view stripped, std::vector<Fired>* fired) const;
  const std::string* whole_name(std::string_view stripped) const;
  void set_rules(std::vector<Rule> rules);

  bool slashes_a_ = false, slashes_b_ = false;  // on that side alone
  std::string prefix_a_, prefix_b_;
  std::vector<Rule> rules_;
  std::unordered_map<std::string, std::size_t> by_from_;
  std::vector<std::size_t> lengths_;          // of their runs, in pieces, the longest first
  std::map<std::string, std::string> whole_;  // names or templates of whole stripped names
};

}  // namespace samebits
