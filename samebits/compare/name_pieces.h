// Tensor names as pieces: what lies between dots, and the numbers of blocks among them.
//
// "encoder.layer.11.output.dense.weight" has the pieces "encoder." "layer." "11." "output."
// "dense." "weight"; torchvision's "encoder_layer_3.ln_1.weight" has "encoder_layer_" "3."
// "ln_1." "weight". Slashes separate as dots do. Joined, they are the name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace samebits {

using Pieces = std::vector<std::string_view>;  // borrow from the name

Pieces split_name(std::string_view name);
/// "11.", "11/" and "11", but not "fc1.".
bool is_number(std::string_view piece);
/// The piece, or "{n}." for a number.
std::string templated(std::string_view piece);
/// The piece without the dot or slash that ends it.
std::string_view without_dot(std::string_view piece);
/// Pieces [begin, end), joined.
std::string joined_pieces(const Pieces& pieces, std::size_t begin, std::size_t end);
/// The module that holds a tensor, with the dot, "" for one of the model itself; and what the
/// module calls it. Joined, they are the name.
std::string module_of(const std::string& name);
std::string leaf_of(const std::string& name);
/// The place of the only piece in which two names differ, where it is a number in both.
std::optional<std::size_t> renumbered_piece(const Pieces& a, const Pieces& b);
/// The name with "{n}" for every number, and the numbers.
std::string template_of(std::string_view name);
std::vector<std::string> name_numbers(std::string_view name);
/// The template with these numbers in place of its "{n}", in order; "" where their count differs.
std::string fill_template(std::string_view text, const std::vector<std::string>& numbers);

/// Numbers by their values, other text by its bytes: "layer.2" before "layer.10".
bool natural_less(std::string_view a, std::string_view b);
/// The places of names in the order in which a person lists them: as they stand, but for names that
/// differ only in numbers, which take one another's places so that 2 comes before 10. A model's own
/// order is kept; a file that is sorted by letters is put right.
std::vector<std::uint32_t> listing_order(const std::vector<std::string_view>& names);

/// A run of pieces of `a` that stands for a run of pieces of `b`; either may be empty.
struct Hunk {
  std::size_t a_begin = 0, a_end = 0;
  std::size_t b_begin = 0, b_end = 0;
};

/// Where two names differ: the fewest pieces, and of those choices the fewest hunks.
std::vector<Hunk> differing_hunks(const Pieces& a, const Pieces& b);

}  // namespace samebits
