// Two sets of named tensors held against each other: which are the same, under which names, and how
// the others differ.
//
// Knows nothing of files: a Checkpoint, a trace or a test gives it names and views. Method: the
// design's five steps, each only on what is still unmatched (same name and bytes; same bytes under
// another name, by digest; compositions; equal after widening or rounding; the rest by rule and
// name). Deterministic: the result depends on names and bytes alone, not on threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
};

/// A model's weights, with digests that are computed once, however many comparisons use them.
class WeightSet {
 public:
  WeightSet() = default;
  explicit WeightSet(std::vector<NamedTensor> tensors);
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  /// Index of a name, or nothing.
  std::optional<std::uint32_t> find(const std::string& name) const;
  /// Computes the digests of the given tensors that are not yet known.
  void compute_digests(const std::vector<std::uint32_t>& which, int threads);
  const std::optional<Digest128>& digest(std::uint32_t index) const { return digests_[index]; }

 private:
  std::vector<NamedTensor> tensors_;
  std::vector<std::uint32_t> by_name_;  // indexes sorted by name
  std::vector<std::optional<Digest128>> digests_;
};

/// How far B's values are from A's. Elements are compared as numbers of the wider type; NaN equals
/// NaN.
struct TensorStats {
  std::uint64_t elements = 0;
  std::uint64_t differing = 0;  // bits differ (after widening, where the types differ)
  double max_abs = 0;           // largest |a - b| over finite pairs
  double mean_abs = 0;
  double max_relative = 0;               // largest |a - b| / max(|a|, |b|)
  std::optional<std::uint64_t> max_ulp;  // same float type only
  double cosine = 1;      // of A and B as vectors; 1 where both are zero, 0 where one is
  double norm_ratio = 1;  // |B| / |A|
  std::uint64_t rows = 0, rows_differing = 0;  // slices along dimension 0; a scalar has one
  std::uint64_t first = 0;                     // row-major index of the first differing element
  std::uint64_t nan_a = 0, nan_b = 0, inf_a = 0, inf_b = 0;
  /// What the change looks like: "one element", "few elements", "few rows", "sign" (B = -A),
  /// "scale" (B = cA to rounding), "one ulp", "all", "nan".
  std::string pattern;
};

enum class MatchKind : std::uint8_t {
  same,         // same name, same bytes
  renamed,      // same bytes under a consistent renaming
  rearranged,   // same values: transposed, reshaped, fused or split
  same_values,  // equal as numbers: widened without loss, -0 for 0
  rounded,      // B holds A's values rounded to a narrower type
  changed,
};
const char* match_kind_name(MatchKind kind);  // "same", "renamed", ...

struct TensorMatch {
  std::vector<std::uint32_t> a,
      b;  // indexes into the sets; several on one side where fused or split
  MatchKind kind = MatchKind::same;
  std::string how;  // "transposed", "rows 0-31 of qkv.weight", "float32 rounded to bfloat16", ...;
                    // "" where kind says all
  std::optional<TensorStats> stats;  // changed, and rounded
};

/// from and to are templates: "{n}" stands for a number, the same in both ("layers.{n}." to
/// "encoder.layer.{n}."). A prefix that B adds is {"", "model."}.
struct RenameRule {
  std::string from, to;
  std::uint32_t count = 0;  // matched tensors that it accounts for
};

enum class WeightsVerdict : std::uint8_t { identical, same_values, rounded, different, unknown };
const char* weights_verdict_name(WeightsVerdict verdict);  // "identical", "same-values", ...

/// A permutation inside a namespace that both sides share: not a renaming but a difference.
struct Exchange {
  std::vector<std::string> names_a, names_b;  // names_b[i] in B holds the bytes of names_a[i] in A
  std::string summary;  // "blocks 0 and 1 are exchanged", "query and key are exchanged in layer 3"
};

/// A shared tensor that one side holds once, the other twice or not at all.
struct TieDifference {
  std::vector<std::string> names_a, names_b;
  std::string summary;
};

struct WeightComparison {
  WeightsVerdict verdict = WeightsVerdict::unknown;
  std::uint64_t matched = 0;  // tensors of A with a partner in B, changed ones included
  std::uint64_t renamed = 0;  // of those, how many have another name in B, a mere prefix included
  std::uint64_t changed = 0;  // tensors whose values differ (exchanged ones included)
  std::vector<std::string> only_a, only_b;
  std::vector<RenameRule> rules;
  std::vector<TensorMatch>
      matches;  // changed first, by weight of evidence; then the others in A's order
  std::vector<Exchange> exchanges;
  std::vector<TieDifference> ties;
  std::vector<std::string> unreadable;  // names that could not be read, on either side
  std::uint64_t bytes_compared = 0;
};

struct CompareOptions {
  int threads = 1;
};

/// Both sets keep the digests that were needed. Memory beyond the digests: a few KB a tensor, and
/// blocks of at most 1 MiB a thread. Every byte of both sides is read unless a tensor has no
/// possible partner.
WeightComparison compare_weights(WeightSet& a, WeightSet& b, const CompareOptions& options = {});

}  // namespace samebits
