// How much alike two names are, for many names at once.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "samebits/family/module_words.h"

namespace samebits {

/// Splits each name once; holding two of them against each other then allocates nothing.
class NameAffinity {
 public:
  /// The number of a name in this set, which borrows it. The same name has one number.
  std::uint32_t add(std::string_view name);

  /// How many pieces two names share, in order: one for the same piece, less for one that people
  /// use for the other ("q_proj" for "query"). 0 for names of more than 64 pieces.
  double shared_pieces(std::uint32_t a, std::uint32_t b);
  /// That, as a part of their pieces: 0 to 1.
  double affinity(std::uint32_t a, std::uint32_t b);

  /// What a name has in common with those that share most with it: its pieces and their words, as
  /// numbers.
  const std::vector<std::uint32_t>& tokens(std::uint32_t name) const { return names_[name].tokens; }

 private:
  struct Piece {
    std::string_view text;
    bool number = false;
    std::vector<std::uint32_t> words;
    model::ModuleWord means = model::ModuleWord::none;
  };
  struct Name {
    std::vector<std::uint32_t> pieces;
    std::vector<std::uint32_t> tokens;
  };

  std::uint32_t piece_of(std::string_view text);
  std::uint32_t word_of(std::string_view text);
  double alike(std::uint32_t a, std::uint32_t b) const;

  std::vector<Piece> pieces_;
  std::vector<std::string_view> words_;
  std::vector<Name> names_;
  std::unordered_map<std::string_view, std::uint32_t> piece_index_, word_index_, name_index_;
  std::vector<double> row_;  // of shared_pieces()
};

/// The same of two names alone.
double shared_pieces(std::string_view a, std::string_view b);
double affinity(std::string_view a, std::string_view b);

}  // namespace samebits
