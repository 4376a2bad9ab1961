// Sparse tensors of torch as the numbers that they stand for.
//
// Source: torch.sparse of torch 2.13: COO without doubled places, CSR, CSC, BSR and BSC of one
// matrix. Not covered: batches of matrices, doubled places, more than kLimits allows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// One sparse tensor among the chosen weights.
struct SparseWeight {
  std::string layout;                // "sparse_csr"
  std::string form;                  // with what else its parts depend on: "sparse_bsr [2, 2]"
  std::vector<std::uint32_t> parts;  // indexes into Checkpoint::entries: indices, then values
  Shape size;
};

/// By the key of state_dict().
std::map<std::string, SparseWeight> sparse_weights(const Checkpoint& checkpoint);

/// The elements in row-major order, zeros included. Nothing where it has another form than those
/// above, a part cannot be read, or it is larger than `most_bytes`.
std::optional<std::vector<std::uint8_t>> dense_values(const Checkpoint& checkpoint,
                                                      const SparseWeight& weight,
                                                      std::uint64_t most_bytes);

/// Puts one dense tensor in the place of the parts of `key`. Its note says what it was.
void replace_by_dense(Checkpoint& checkpoint, const std::string& key, const SparseWeight& weight,
                      std::vector<std::uint8_t> values);

/// The form that such a tensor had, "dense" for any other.
std::string layout_before(const StoredTensor& tensor);

}  // namespace samebits
