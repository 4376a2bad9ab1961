// What a report says of outputs: points of runs, held against each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/compare/dropout_pattern.h"
#include "samebits/tensor/dtype.h"

namespace samebits {

/// Outputs at a point of two runs.
struct OutputPair {
  std::string a, b, point;
  std::string verdict;  // "identical", "permuted", "rounding", "different"
  std::uint64_t elements = 0, differing = 0;
  double max_abs = 0;
  std::optional<std::uint64_t> max_ulp;  // same float type only
  double cosine = 1;
  /// What the differences are confined to: "token 2", "columns 16 to 31 of 48"; else "".
  std::string where{};
  /// Where double precision and other orders of additions were computed as well: B's error in units
  /// of the largest of A's (root mean squares), and how far these orders are from one another.
  std::optional<double> floor_units{}, floor_max_abs{};
  std::string looks_like{};  // "all elements", "rows permuted", "rounded to bfloat16", ...; "" for
                             // nothing in particular
  std::optional<DropoutPattern> dropout{};  // where one side is the other behind dropout
  std::optional<DType> narrower{};          // to which one side is the other rounded
  std::optional<std::uint64_t> beyond{};    // elements beyond a tolerance, where one was asked for
};

/// A run that was made, and what it showed.
struct RunLine {
  std::string run;      // "B with the config (mask_ratio) of A"
  std::string outcome;  // "A's outputs, bit for bit"
};

/// Every point of two runs with the same randomness, in execution order.
struct Divergence {
  std::string a, b;  // labels
  std::vector<OutputPair> points;
};

/// Where each patch of the first image stands among the tokens of two runs.
struct TokenMap {
  std::string a, b;  // labels
  std::vector<std::uint32_t> places_a, places_b;
};

}  // namespace samebits
