#include "samebits/compare/name_pieces.h"

#include <algorithm>
#include <unordered_map>

namespace samebits {
namespace {

// Longer names are compared as a whole: real ones have up to 20 pieces.
constexpr std::size_t kMostPieces = 64;

// Names of torch have dots, those of flax and TensorFlow slashes.
constexpr std::string_view kSeparators = "./";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Where the digits of a component begin: after its last '_', or at its start. npos: nowhere.
std::size_t number_start(std::string_view component) {
  std::size_t start = component.size();
  while (start > 0 && is_digit(component[start - 1])) --start;
  if (start == component.size()) return std::string_view::npos;
  return start == 0 || component[start - 1] == '_' ? start : std::string_view::npos;
}

// "ln_1.weight" is a layer and "encoder_layer_1.ln_1.weight" a block, which holds layers.
void add_component(std::string_view component, std::string_view rest, Pieces* pieces) {
  const std::size_t start = number_start(without_dot(component));
  const bool holds_layers = rest.find_first_of(kSeparators) != std::string_view::npos;
  // flax numbers what it names after a class: "encoderblock_1/MlpBlock_3/Dense_0/kernel".
  const bool is_class = component[0] >= 'A' && component[0] <= 'Z' &&
                        std::any_of(pieces->begin(), pieces->end(), is_number);
  if (start == std::string_view::npos || start == 0 || !holds_layers || is_class)
    return pieces->push_back(component);
  pieces->push_back(component.substr(0, start));
  pieces->push_back(component.substr(start));
}

/// The table of the best alignments of all tails of two names.
class Alignments {
 public:
  Alignments(const Pieces& a, const Pieces& b) : a_(a), b_(b), cells_((a.size() + 1) * width()) {
    for (std::size_t i = a.size() + 1; i-- > 0;) {
      for (std::size_t j = b.size() + 1; j-- > 0;) fill(i, j);
    }
  }

  std::vector<Hunk> hunks() const {
    std::vector<Hunk> found;
    bool open = false;
    for (std::size_t i = 0, j = 0; i < a_.size() || j < b_.size();) {
      const Step step = cell(i, j).step[open ? 1 : 0];
      if (step == Step::keep) {
        open = false;
      } else if (!open) {
        found.push_back({i, i, j, j});
        open = true;
      }
      i += step != Step::insert ? 1 : 0;
      j += step != Step::erase ? 1 : 0;
      if (open) {
        found.back().a_end = i;
        found.back().b_end = j;
      }
    }
    return found;
  }

 private:
  enum class Step : std::uint8_t { keep, erase, insert };
  struct Cell {
    int score[2] = {0, 0};  // 1000 for each kept piece, -1 for each hunk; [1]: inside a hunk
    Step step[2] = {Step::keep, Step::keep};
  };

  std::size_t width() const { return b_.size() + 1; }
  const Cell& cell(std::size_t i, std::size_t j) const { return cells_[i * width() + j]; }

  void fill(std::size_t i, std::size_t j) {
    if (i == a_.size() && j == b_.size()) return;
    for (int open = 0; open < 2; ++open) {
      int best = -1'000'000;
      Step step = Step::keep;
      const auto offer = [&](int score, Step by) {
        if (score <= best) return;
        best = score;
        step = by;
      };
      const int start = open == 1 ? 0 : -1;
      if (i < a_.size() && j < b_.size() && a_[i] == b_[j])
        offer(cell(i + 1, j + 1).score[0] + 1000, Step::keep);
      if (i < a_.size()) offer(cell(i + 1, j).score[1] + start, Step::erase);
      if (j < b_.size()) offer(cell(i, j + 1).score[1] + start, Step::insert);
      cells_[i * width() + j].score[open] = best;
      cells_[i * width() + j].step[open] = step;
    }
  }

  const Pieces& a_;
  const Pieces& b_;
  std::vector<Cell> cells_;
};

}  // namespace

std::string_view without_dot(std::string_view piece) {
  if (!piece.empty() && kSeparators.find(piece.back()) != std::string_view::npos)
    piece.remove_suffix(1);
  return piece;
}

Pieces split_name(std::string_view name) {
  Pieces pieces;
  pieces.reserve(4);
  while (!name.empty()) {
    const std::size_t dot = name.find_first_of(kSeparators);
    const std::size_t size = dot == std::string_view::npos ? name.size() : dot + 1;
    add_component(name.substr(0, size), name.substr(size), &pieces);
    name.remove_prefix(size);
  }
  return pieces;
}

bool is_number(std::string_view piece) {
  piece = without_dot(piece);
  return !piece.empty() && std::all_of(piece.begin(), piece.end(), is_digit);
}

std::string templated(std::string_view piece) {
  if (!is_number(piece)) return std::string(piece);
  return "{n}" + std::string(piece.substr(without_dot(piece).size()));
}

std::string joined_pieces(const Pieces& pieces, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end; ++i) text += pieces[i];
  return text;
}

std::string module_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot + 1);
}

std::string leaf_of(const std::string& name) { return name.substr(name.rfind('.') + 1); }

std::optional<std::size_t> renumbered_piece(const Pieces& a, const Pieces& b) {
  if (a.size() != b.size()) return std::nullopt;
  const auto [x, y] = std::ranges::mismatch(a, b);
  if (x == a.end() || !is_number(*x) || !is_number(*y)) return std::nullopt;
  if (!std::equal(x + 1, a.end(), y + 1, b.end())) return std::nullopt;
  return static_cast<std::size_t>(x - a.begin());
}

std::string template_of(std::string_view name) {
  std::string text;
  for (const std::string_view piece : split_name(name)) {
    text += templated(piece);
  }
  return text;
}

std::vector<std::string> name_numbers(std::string_view name) {
  std::vector<std::string> numbers;
  for (const std::string_view piece : split_name(name)) {
    if (is_number(piece)) numbers.emplace_back(without_dot(piece));
  }
  return numbers;
}

std::string fill_template(std::string_view text, const std::vector<std::string>& numbers) {
  constexpr std::string_view kPlace = "{n}";
  std::string name;
  std::size_t used = 0;
  while (true) {
    const std::size_t at = text.find(kPlace);
    name += text.substr(0, at);
    if (at == std::string_view::npos) break;
    if (used == numbers.size()) return "";
    name += numbers[used++];
    text.remove_prefix(at + kPlace.size());
  }
  return used == numbers.size() ? name : "";
}

bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (!is_digit(a[0]) || !is_digit(b[0])) {
      if (a[0] != b[0]) return a[0] < b[0];
      a.remove_prefix(1);
      b.remove_prefix(1);
      continue;
    }
    const auto take_digits = [](std::string_view* text) {
      const auto end = std::find_if_not(text->begin(), text->end(), is_digit);
      std::string_view digits = text->substr(0, static_cast<std::size_t>(end - text->begin()));
      text->remove_prefix(digits.size());
      digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
      return digits;
    };
    const std::string_view x = take_digits(&a);
    const std::string_view y = take_digits(&b);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
  }
  return a.empty() && b.empty() ? whole_a < whole_b : a.empty();
}

std::vector<std::uint32_t> listing_order(const std::vector<std::string_view>& names) {
  std::unordered_map<std::string, std::vector<std::uint32_t>> alike;
  for (std::uint32_t i = 0; i < names.size(); ++i) alike[template_of(names[i])].push_back(i);
  std::vector<std::uint32_t> order(names.size());
  for (auto& [name, places] : alike) {
    std::vector<std::uint32_t> sorted = places;
    std::stable_sort(sorted.begin(), sorted.end(), [&](std::uint32_t x, std::uint32_t y) {
      return natural_less(names[x], names[y]);
    });
    for (std::size_t i = 0; i < places.size(); ++i) order[places[i]] = sorted[i];
  }
  return order;
}

std::vector<Hunk> differing_hunks(const Pieces& a, const Pieces& b) {
  if (a.size() > kMostPieces || b.size() > kMostPieces) return {{0, a.size(), 0, b.size()}};
  return Alignments(a, b).hunks();
}

}  // namespace samebits
