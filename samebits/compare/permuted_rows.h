// Whether one tensor is another with its rows, or its columns, in another order.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/tensor/digest.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// What a permutation of the rows in each head is where rotary embeddings explain it: rows i and
/// i + head / 2 of transformers are rows 2 i and 2 i + 1 of Meta's code (permute() of transformers'
/// convert_llama_weights_to_hf.py).
inline constexpr std::string_view kRotaryToPairs = "rotary halves to pairs";
inline constexpr std::string_view kRotaryToHalves = "rotary pairs to halves";
inline constexpr std::string_view kChannelsReversed = "channels reversed";

/// "rows permuted", "blocks of 16 rows permuted" (heads), "rows of heads of 8 permuted (rotary
/// halves to pairs)", the same of columns, "channels reversed" (kernels of three channels, as RGB
/// and BGR), or "". Rows are slices along dimension 0, columns along dimension 1. `norm_ratio` is
/// |B| / |A|, which tells most pairs apart without reading them. Of more than 2^24 rows that they
/// are permuted is all it says.
std::string permutation_pattern(const TensorView& a, const TensorView& b, double norm_ratio,
                                int threads);

/// The row of A that stands in each row of B, or the column; nothing where they have others, or
/// more than 2^24. Requires one type and shape, and that dimension.
std::optional<std::vector<std::size_t>> permutation_order(const TensorView& a, const TensorView& b,
                                                          bool of_columns, int threads);

/// Whether a pattern is one of those.
bool is_permutation(std::string_view pattern);

/// The same words for an order: row `order[i]` of A stands in row i of B.
std::string row_order_text(const std::vector<std::size_t>& order, const char* what);

/// The largest number of neighbouring rows that stay together wherever they went; 1 where none do.
std::size_t block_of_order(const std::vector<std::size_t>& order);

/// The digest of each row. Requires a dimension.
std::vector<Digest128> row_digests(const TensorView& view, int threads);

}  // namespace samebits
