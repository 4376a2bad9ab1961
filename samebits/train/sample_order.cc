#include "samebits/train/sample_order.h"

#include "samebits/rng/distributions.h"

namespace samebits {

SampleOrder::SampleOrder(std::uint64_t seed, std::size_t samples)
    : generator_(seed), samples_(samples) {
  SAMEBITS_CHECK(samples > 0);
  begin_epoch();
}

void SampleOrder::begin_epoch() {
  epoch_state_ = generator_.state();
  generator_.random64();  // the seed of workers, whether there are any or not
  order_ = randperm(generator_, static_cast<std::int64_t>(samples_));
  position_ = 0;
}

std::span<const std::int64_t> SampleOrder::take(std::size_t count) {
  SAMEBITS_CHECK(count <= left());
  const std::span<const std::int64_t> taken = std::span(order_).subspan(position_, count);
  position_ += count;
  return taken;
}

void SampleOrder::next_epoch() {
  SAMEBITS_CHECK(left() == 0);
  randperm(generator_, static_cast<std::int64_t>(samples_));
  ++epoch_;
  begin_epoch();
}

Result<void> SampleOrder::resume(Bytes epoch_state, std::uint64_t epoch, std::size_t position) {
  SAMEBITS_TRY_VOID(generator_.set_state(epoch_state));
  begin_epoch();
  if (position > order_.size()) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = "the position in the epoch is behind its end",
                 .expected = "at most " + std::to_string(order_.size()),
                 .found = std::to_string(position)});
  }
  epoch_ = epoch;
  position_ = position;
  return {};
}

}  // namespace samebits
