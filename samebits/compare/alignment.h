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

#include "samebits/compare/rename_rules.h"
#include "samebits/compare/tensor_stats.h"
#include "samebits/compare/weight_set.h"

namespace samebits {

enum class MatchKind : std::uint8_t {
  same,         // same name, same bytes
  renamed,      // same bytes under a consistent renaming
  rearranged,   // same values: transposed, reshaped, fused or split
  same_values,  // equal as numbers: widened without loss, -0 for 0
  rounded,      // B holds A's values rounded to a narrower type
  exchanged,    // where A's values belong B has those of another tensor of A: see Exchange
  changed,
};
const char* match_kind_name(MatchKind kind);  // "same", "renamed", ...

struct TensorMatch {
  std::vector<std::uint32_t> a,
      b;  // indexes into the sets; several on one side where fused or split
  MatchKind kind = MatchKind::same;
  std::string how;  // "transposed", "rows 0-31 of qkv.weight", "float32 rounded to bfloat16", ...;
                    // "" where kind says all
  std::optional<TensorStats> stats;  // changed, exchanged and rounded, where both have numbers
  RoundingLoss loss{};               // rounded only
  /// Elements further apart than a tolerance, where one was asked for (tolerance.h).
  std::optional<std::uint64_t> beyond{};
  /// Rearranged, and of one shape on both sides: a loader takes it as it stands, which makes it a
  /// difference. False where the other side's convention has all its matrices so.
  bool in_place{};
};

enum class WeightsVerdict : std::uint8_t { identical, same_values, rounded, different, unknown };
/// The two sides hold equal values, however they are stored.
constexpr bool says_equal(WeightsVerdict verdict) {
  return verdict == WeightsVerdict::identical || verdict == WeightsVerdict::same_values;
}
const char* weights_verdict_name(WeightsVerdict verdict);  // "identical", "same-values", ...

/// Tensors of A that stand in B where others of A belong: not a renaming but a difference.
struct Exchange {
  std::vector<std::string> names_a, names_b;  // names_b[i] in B holds the bytes of names_a[i] in A
  std::string summary;  // "blocks 0 and 1 are exchanged", "query and key are exchanged in layer 3"
  /// In which order the values stand inside the tensor: "has rows permuted"; "" where they stand in
  /// other tensors' places.
  std::string how{};
};

/// A shared tensor that one side holds once, the other twice or not at all.
struct TieDifference {
  std::vector<std::string> names_a, names_b;
  std::string summary;
};

/// A table on one side only that a class computes when it is built (see computed_table.h), or a
/// counter of batches, which starts at 0 and moves no output in eval mode. The caller knows what
/// else the files say, and settles which are.
struct ComputedAlone {
  std::string name;
  bool in_a = true;
  std::string what;  // "" of a counter
};

struct WeightComparison {
  WeightsVerdict verdict = WeightsVerdict::unknown;
  std::uint64_t matched = 0;  // tensors of A with a partner in B, changed ones included
  std::uint64_t renamed = 0;  // of those, how many have another name in B, a mere prefix included
  std::uint64_t changed = 0;  // tensors whose values differ (exchanged and in_place ones included)
  std::vector<std::string> only_a, only_b;
  std::vector<RenameRule> rules;
  std::vector<TensorMatch> matches;  // exchanged and changed first, by |A - B| / |A|; then the
                                     // others in A's order (see listing_order())
  std::vector<Exchange> exchanges;
  std::vector<TieDifference> ties;
  std::vector<ComputedAlone> computed;
  std::vector<std::string> unreadable;  // names that could not be read, on either side
  /// What was left untried because it would have taken too long, in words. Where it leaves open
  /// whether values are equal, the verdict is unknown.
  std::vector<std::string> unsearched;
  std::uint64_t bytes_compared = 0;
};

struct CompareOptions {
  int threads = 1;
  std::string label_a = "A", label_b = "B";  // as texts name the two sides
};

/// Both sets keep the digests that were needed. Memory beyond the digests: a few KB a tensor, and
/// blocks of at most 1 MiB a thread. Every byte of both sides is read unless a tensor has no
/// possible partner.
WeightComparison compare_weights(WeightSet& a, WeightSet& b, const CompareOptions& options = {});

}  // namespace samebits
