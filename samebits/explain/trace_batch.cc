#include "samebits/explain/trace_batch.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/compare/equal_bytes.h"

namespace samebits {
namespace {

/// Image `i` of a point of `images` images, as a batch of one.
std::optional<TensorView> image_of(const TensorView& batch, std::int64_t i, std::int64_t images) {
  const Shape& shape = batch.shape();
  if (shape.empty() || shape[0] != images || !batch.is_plain()) return std::nullopt;
  Shape one = shape;
  one[0] = 1;
  const std::uint64_t size = batch.numel() / static_cast<std::uint64_t>(images);
  const auto view = TensorView::make(batch.dtype(), one, contiguous_strides(one),
                                     static_cast<std::uint64_t>(i) * size, batch.plain_bytes());
  return view ? std::optional(*view) : std::nullopt;
}

}  // namespace

const StoredTensor* recorded_point(const Subject& subject, const std::string& name) {
  for (const StoredTensor& entry : subject.checkpoint->entries) {
    if (entry.path == name && entry.readable) return &entry;
  }
  return nullptr;
}

BatchPlace BatchPlace::find(const Subject& a, const Subject& b, int threads) {
  BatchPlace found;
  const StoredTensor* x = recorded_point(a, "pixel_values");
  const StoredTensor* y = recorded_point(b, "pixel_values");
  if (x == nullptr || y == nullptr || x->view.shape().size() != 4 || y->view.shape().size() != 4 ||
      x->view.dtype() != y->view.dtype())
    return found;
  const std::int64_t images_a = x->view.shape()[0];
  const std::int64_t images_b = y->view.shape()[0];
  if ((images_a == 1) == (images_b == 1)) return found;
  found.batch_is_b_ = images_a == 1;
  found.images_ = std::max(images_a, images_b);
  const TensorView& one = found.batch_is_b_ ? x->view : y->view;
  const TensorView& many = found.batch_is_b_ ? y->view : x->view;
  for (std::int64_t i = 0; i < found.images_ && !found.place_; ++i) {
    const auto row = image_of(many, i, found.images_);
    if (!row || row->shape() != one.shape()) return found;
    if (equal_bytes({{&one, &*row}}, threads)[0]) found.place_ = i;
  }
  return found;
}

std::string BatchPlace::text(const Subject& a, const Subject& b) const {
  const Subject& one = batch_is_b_ ? a : b;
  const Subject& many = batch_is_b_ ? b : a;
  return fmt::format("the one image of {} is image {} of {} in {}", one.label, *place_, images_,
                     many.label);
}

std::string BatchPlace::choice() const {
  return fmt::format("one image alone, and as image {} of {}", *place_, images_);
}

ValuePair BatchPlace::values(const StoredTensor& x, const StoredTensor& y) const {
  ValuePair values{x.view, y.view};
  if (!place_ || x.view.shape() == y.view.shape()) return values;
  TensorView& batch = batch_is_b_ ? values.b : values.a;
  if (const auto image = image_of(batch, *place_, images_)) batch = *image;
  return values;
}

}  // namespace samebits
