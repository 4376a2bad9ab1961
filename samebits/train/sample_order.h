// The order in which a training sees its samples: that of
//
//     DataLoader(data, batch_size, shuffle=True, generator=torch.Generator().manual_seed(seed))
//
// without workers, epoch after epoch. In every epoch the loader draws one int64 from the generator,
// RandomSampler a permutation, and, when it is exhausted, another one that nobody sees.
//
// Source: torch/utils/data/dataloader.py and sampler.py of torch 2.13.0; held against them in
// tests/parity/train_test.py.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "samebits/rng/cpu_generator.h"

namespace samebits {

class SampleOrder {
 public:
  SampleOrder(std::uint64_t seed, std::size_t samples);

  /// The samples of this epoch that were not taken.
  std::size_t left() const { return order_.size() - position_; }
  std::size_t position() const { return position_; }
  std::uint64_t epoch() const { return epoch_; }
  /// The next `count` samples. Requires that so many are left.
  std::span<const std::int64_t> take(std::size_t count);
  /// Requires that none is left.
  void next_epoch();

  /// The generator as it was before this epoch began: with the position, all that a resumed
  /// training needs.
  const std::vector<std::uint8_t>& epoch_state() const { return epoch_state_; }
  /// Errors: malformed, for a state that is none.
  Result<void> resume(Bytes epoch_state, std::uint64_t epoch, std::size_t position);

 private:
  void begin_epoch();

  CpuGenerator generator_;
  std::size_t samples_;
  std::uint64_t epoch_ = 0;
  std::size_t position_ = 0;
  std::vector<std::uint8_t> epoch_state_;
  std::vector<std::int64_t> order_;
};

}  // namespace samebits
