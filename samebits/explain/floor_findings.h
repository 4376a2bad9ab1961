// What a run recorded elsewhere, held against double precision, is found to be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/explain/report.h"
#include "samebits/run/operation_bound.h"

namespace samebits {

/// Errors this many times as large as the sample's are no rounding. Measured over runs of PyTorch
/// with other batches, threads, attention kernels and instruction sets, and over planted faults of
/// 1e-4 in one layer: tests/parity/floor_test.py.
constexpr double kMostRounding = 4;

/// Passes in float32 with sums in other orders, beside the program's own.
constexpr std::uint32_t kOrders = 2;

/// A point that both have in other shapes: the pass itself was another one.
struct OtherShape {
  std::string point, model, trace;
  std::size_t before = 0;  // compared points in front of it
  bool one_width = true;   // they differ in another dimension than the last
};

/// The labels of the two sides.
struct FloorSides {
  std::string model, trace;
};

/// Every point is within rounding. Requires points, each with floor_units.
Finding rounding_finding(const FloorSides& sides, const std::vector<OutputPair>& points);

/// `config`: the model's, whose fields the remedy names.
Finding shape_finding(const FloorSides& sides, const OtherShape& shape, const Json& config);

/// As far off as recording in `type` makes it: how many times as coarse as float32's that type's
/// rounding is; 0 for types that nobody runs in.
double coarser_than_float(DType type);
Finding narrow_finding(const FloorSides& sides, const OutputPair& first, DType type);

/// Beyond rounding at the point; proved where `broken`, the bound of its step, is given.
Finding departure_finding(const FloorSides& sides, const OutputPair& first,
                          const std::optional<OperationCheck>& broken);

}  // namespace samebits
