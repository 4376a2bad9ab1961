#include "samebits/checkpoint/described_bytes.h"

#include <string>

#include "samebits/base/limits.h"

namespace samebits {

DescribedBytes::DescribedBytes(std::uint64_t file_bytes) {
  if (!checked_mul(file_bytes, kLimits.described_factor, &most_) ||
      !checked_add(most_, kLimits.described_bytes, &most_))
    most_ = ~std::uint64_t{0};
}

Result<void> DescribedBytes::add(const TensorView& view) {
  views_.push_back(view);
  const std::size_t first = distinct_.add(views_.back(), counted_.size());
  const bool is_new = first == counted_.size();
  if (!is_new) views_.pop_back();
  std::uint64_t total = 0;
  const bool fits = checked_add(total_, view.nbytes(), &total) && total <= most_;
  if (is_new) counted_.push_back(fits);
  if (is_new && fits) total_ = total;
  if (counted_[first]) return {};
  return fail({.code = ErrorCode::limit,
               .what = "its view " + shape_text(view.shape()) +
                       " repeats a storage, and the tensors of the file describe too much together",
               .expected = "at most " + std::to_string(most_) + " bytes",
               .found = std::to_string(total_) + " bytes before it, " +
                        std::to_string(view.nbytes()) + " of its own",
               .hint = "Save what was expanded as .contiguous(), or save the tensor that it was "
                       "expanded from"});
}

}  // namespace samebits
