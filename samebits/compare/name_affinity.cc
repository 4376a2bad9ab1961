#include "samebits/compare/name_affinity.h"

#include <algorithm>

#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

constexpr std::size_t kMostSharedPieces = 64;  // real names have up to 20

// The words of a piece: "layernorm_before" has two.
std::vector<std::string_view> words_of(std::string_view piece) {
  std::vector<std::string_view> words;
  while (!piece.empty()) {
    const std::size_t end = std::min(piece.find('_'), piece.size());
    if (end > 0) words.push_back(piece.substr(0, end));
    piece.remove_prefix(std::min(end + 1, piece.size()));
  }
  return words;
}

bool abbreviates(std::string_view a, std::string_view b) {
  return a.size() < b.size() ? b.starts_with(a) : a.starts_with(b);
}

}  // namespace

std::uint32_t NameAffinity::word_of(std::string_view text) {
  const auto [at, is_new] =
      word_index_.try_emplace(text, static_cast<std::uint32_t>(words_.size()));
  if (is_new) words_.push_back(text);
  return at->second;
}

std::uint32_t NameAffinity::piece_of(std::string_view text) {
  const auto [at, is_new] =
      piece_index_.try_emplace(text, static_cast<std::uint32_t>(pieces_.size()));
  if (!is_new) return at->second;
  Piece& piece = pieces_.emplace_back();
  piece.text = text;
  piece.number = is_number(text);
  piece.means = model::module_word(text);
  for (const std::string_view word : words_of(text)) piece.words.push_back(word_of(word));
  return at->second;
}

std::uint32_t NameAffinity::add(std::string_view name) {
  const auto [at, is_new] =
      name_index_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
  if (!is_new) return at->second;
  Name& added = names_.emplace_back();
  for (const std::string_view text : split_name(name)) {
    const std::uint32_t piece = piece_of(without_dot(text));
    added.pieces.push_back(piece);
    if (pieces_[piece].number) continue;
    // A word is told apart from a piece by its lowest bit; a piece of one word is that word.
    const std::vector<std::uint32_t>& words = pieces_[piece].words;
    if (words.size() != 1) added.tokens.push_back(piece * 2);
    for (const std::uint32_t word : words) added.tokens.push_back(word * 2 + 1);
  }
  std::sort(added.tokens.begin(), added.tokens.end());
  added.tokens.erase(std::unique(added.tokens.begin(), added.tokens.end()), added.tokens.end());
  return at->second;
}

double NameAffinity::alike(std::uint32_t a, std::uint32_t b) const {
  if (a == b) return 1;
  const Piece& x = pieces_[a];
  const Piece& y = pieces_[b];
  if (x.number || y.number || x.words.empty() || y.words.empty()) return 0;
  if (model::are_rivals(x.means, y.means)) return 0;
  if (x.means != model::ModuleWord::none && x.means == y.means) return 0.8;
  if (abbreviates(words_[x.words[0]], words_[y.words[0]])) return 0.8;
  for (const std::uint32_t word : x.words) {
    if (std::find(y.words.begin(), y.words.end(), word) != y.words.end()) return 0.5;
  }
  return 0;
}

double NameAffinity::shared_pieces(std::uint32_t a, std::uint32_t b) {
  const std::vector<std::uint32_t>& x = names_[a].pieces;
  const std::vector<std::uint32_t>& y = names_[b].pieces;
  if (x.size() > kMostSharedPieces || y.size() > kMostSharedPieces) return 0;
  row_.assign(y.size() + 1, 0);  // best sums of tails
  for (std::size_t i = x.size(); i-- > 0;) {
    double diagonal = 0;
    for (std::size_t j = y.size(); j-- > 0;) {
      const double below = row_[j];
      row_[j] = std::max({below, row_[j + 1], diagonal + alike(x[i], y[j])});
      diagonal = below;
    }
  }
  return row_[0];
}

double NameAffinity::affinity(std::uint32_t a, std::uint32_t b) {
  const std::size_t pieces = names_[a].pieces.size() + names_[b].pieces.size();
  return pieces == 0 ? 1 : 2 * shared_pieces(a, b) / static_cast<double>(pieces);
}

double shared_pieces(std::string_view a, std::string_view b) {
  NameAffinity names;
  const std::uint32_t first = names.add(a);
  return names.shared_pieces(first, names.add(b));
}

double affinity(std::string_view a, std::string_view b) {
  NameAffinity names;
  const std::uint32_t first = names.add(a);
  return names.affinity(first, names.add(b));
}

}  // namespace samebits
