#include "samebits/tensor/distinct_views.h"

#include <functional>
#include <tuple>

namespace samebits {
namespace {

auto key_of(const TensorView& view) {
  return std::tuple(view.byte_offset(), view.storage().size(), view.numel(), view.dtype(),
                    view.big_endian(), view.conjugated(), view.negated());
}

}  // namespace

bool same_elements(const TensorView& a, const TensorView& b) {
  return a.storage().data() == b.storage().data() && key_of(a) == key_of(b) &&
         a.shape() == b.shape() && a.strides() == b.strides();
}

bool DistinctViews::Less::operator()(const TensorView* a, const TensorView* b) const {
  if (a->storage().data() != b->storage().data())
    return std::less<>()(a->storage().data(), b->storage().data());
  if (key_of(*a) != key_of(*b)) return key_of(*a) < key_of(*b);
  return std::tie(a->shape(), a->strides()) < std::tie(b->shape(), b->strides());
}

std::size_t DistinctViews::add(const TensorView& view, std::size_t number) {
  return first_.try_emplace(&view, number).first->second;
}

}  // namespace samebits
