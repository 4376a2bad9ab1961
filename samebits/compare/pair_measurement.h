// How two tensors differ, block by block: the work behind relate_values().
#pragma once

#include <limits>
#include <vector>

#include "samebits/compare/exact_number.h"
#include "samebits/compare/number_block.h"
#include "samebits/compare/stats_loops.h"
#include "samebits/compare/tensor_stats.h"

namespace samebits {

/// What one block, or all of them, add to the statistics.
struct PartialStats {
  std::uint64_t differing = 0, first = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t unequal = 0, minus_zeros = 0;
  double sum_abs = 0, max_abs = 0, max_relative = 0;
  double dot = 0, square_a = 0, square_b = 0, square_difference = 0;
  std::uint64_t max_ulp = 0;
  std::uint64_t nan_a = 0, nan_b = 0, inf_a = 0, inf_b = 0;
  std::uint64_t rows_differing = 0;
  bool first_row_differs = false, last_row_differs = false;
  std::uint64_t first_row = 0, last_row = 0;
};

/// One pair; its blocks may be measured in any order and on any thread, and their sums are added in
/// the order of the tensor. Borrows the pair.
class PairMeasurement {
 public:
  explicit PairMeasurement(const ValuePair& pair);

  std::size_t blocks() const { return partials_.size(); }
  void measure(std::size_t block);
  /// All blocks together.
  PartialStats total() const;
  /// True where every element that differs is the negative of its partner. Reads both tensors.
  bool is_negation(int threads) const;

  std::uint64_t count() const { return count_; }
  std::uint64_t rows() const { return rows_; }
  /// Numbers with a sign in front of a size, which count the steps of their type.
  bool has_ulp() const {
    return same_type_ && is_floating(type_a_) && type_a_ != DType::float8_e8m0fnu;
  }
  std::uint64_t item() const { return item_a_; }

 private:
  struct Run;  // a short run of both tensors
  struct FiniteRun;
  struct BlockSums;

  void load_block(std::uint64_t begin, std::uint64_t count, Run* run) const;
  void measure_run(Run* run, BlockSums* sums, PartialStats* partial) const;
  bool measure_bytes(const Run& run, BlockSums* sums, PartialStats* partial) const;
  bool measure_equal(Run* run, BlockSums* sums) const;
  bool measure_numbers(Run* run, BlockSums* sums, PartialStats* partial) const;
  bool add_finite(const Run& run, const std::uint8_t* a, const std::uint8_t* b, BlockSums* sums,
                  PartialStats* partial) const;
  void set_aside(Run* run, FiniteRun* finite, PartialStats* partial) const;
  void measure_exactly(const Run& run, PartialStats* partial) const;
  void add_pair(const std::uint8_t* a, const std::uint8_t* b, PartialStats* partial) const;
  bool differs(const std::uint8_t* a, const std::uint8_t* b) const;
  void note_rows(const std::uint8_t* a, const std::uint8_t* b, std::uint64_t begin,
                 std::uint64_t count, std::uint64_t differing, PartialStats* partial) const;
  bool any_differs(const std::uint8_t* a, const std::uint8_t* b, std::uint64_t count) const;
  double relative_bound(double largest) const;
  bool numbers_suffice(const Run& run) const;

  const ValuePair& pair_;
  DType type_a_, type_b_;
  std::uint64_t item_a_, item_b_, count_, rows_ = 1, row_size_ = 0;
  bool same_type_ = false;
  bool all_squares_finite_ = true;  // of finite numbers, as doubles
  bool few_bits_ = false;           // floats of 11 significant bits at most
  bool as_bytes_ = false;           // integers of one byte, whose sums are integers
  std::vector<PartialStats> partials_;
};

}  // namespace samebits
