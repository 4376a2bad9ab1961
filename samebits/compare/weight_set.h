// A model's weights by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/tensor/digest.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

struct NamedTensor {
  std::string name;
  TensorView view;            // borrows; must outlive the comparison
  std::uint32_t storage = 0;  // tensors with equal numbers share a storage (tied weights)
  bool readable =
      true;  // false: the file has no bytes for it; never equal to anything, verdict unknown
  /// What makes it another tensor though its elements are equal (the scale of a quantized one, the
  /// size of a sparse one); "" for plain tensors.
  std::string identity{};
  /// What the tensor is in its model, where a table of names knows it: "3:query.weight"; for one
  /// that is several stacked along dimension 0, each of them in order. Empty: not known. Equal
  /// roles on two sides belong together whatever the names.
  std::vector<std::string> roles;
};

/// A model's weights, with digests that are computed once, however many comparisons use them.
class WeightSet {
 public:
  WeightSet() = default;
  explicit WeightSet(std::vector<NamedTensor> tensors);
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  const NamedTensor& operator[](std::uint32_t index) const { return tensors_[index]; }
  /// Index of a name, or nothing.
  std::optional<std::uint32_t> find(std::string_view name) const;
  /// Computes the digests of the given tensors that are not yet known.
  void compute_digests(const std::vector<std::uint32_t>& which, int threads);
  const std::optional<Digest128>& digest(std::uint32_t index) const {
    return digests_[same_as_[index]];
  }
  /// Whether all its elements are equal; then they say nothing of where it belongs. Asked once of
  /// each tensor. For one thread.
  bool is_constant(std::uint32_t index) const;
  /// The first tensor that shows the same elements of the same storage: itself where none does.
  std::uint32_t same_as(std::uint32_t index) const { return same_as_[index]; }

 private:
  std::size_t place_of(std::string_view name) const;

  std::vector<NamedTensor> tensors_;
  std::vector<std::uint32_t> by_name_;  // a hash table of indexes; kNone where it is empty
  std::vector<std::uint32_t> same_as_;
  std::vector<std::optional<Digest128>> digests_;      // of the first of each
  mutable std::vector<std::optional<bool>> constant_;  // of the first of each
};

}  // namespace samebits
