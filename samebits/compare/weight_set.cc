#include "samebits/compare/weight_set.h"

#include <algorithm>
#include <numeric>

#include "samebits/base/parallel.h"

namespace samebits {

WeightSet::WeightSet(std::vector<NamedTensor> tensors)
    : tensors_(std::move(tensors)), by_name_(tensors_.size()), digests_(tensors_.size()) {
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  std::stable_sort(by_name_.begin(), by_name_.end(), [this](std::uint32_t x, std::uint32_t y) {
    return tensors_[x].name < tensors_[y].name;
  });
}

std::optional<std::uint32_t> WeightSet::find(const std::string& name) const {
  const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                   [this](std::uint32_t index, const std::string& wanted) {
                                     return tensors_[index].name < wanted;
                                   });
  if (at == by_name_.end() || tensors_[*at].name != name) return std::nullopt;
  return *at;
}

void WeightSet::compute_digests(const std::vector<std::uint32_t>& which, int threads) {
  std::vector<std::uint32_t> missing;
  std::copy_if(which.begin(), which.end(), std::back_inserter(missing),
               [this](std::uint32_t index) { return !digests_[index]; });
  // The largest first, so that no thread is left alone with one.
  std::stable_sort(missing.begin(), missing.end(), [this](std::uint32_t x, std::uint32_t y) {
    return tensors_[x].view.nbytes() > tensors_[y].view.nbytes();
  });
  parallel_for(missing.size(), threads, [&](std::size_t i) {
    digests_[missing[i]] = fast_digest(tensors_[missing[i]].view);
  });
}

bool share_elements(const NamedTensor& x, const NamedTensor& y) {
  return x.storage == y.storage && x.readable && y.readable && x.view.numel() > 0 &&
         x.view.storage().data() == y.view.storage().data() &&
         x.view.byte_offset() == y.view.byte_offset() && x.view.dtype() == y.view.dtype() &&
         x.view.shape() == y.view.shape() && x.view.strides() == y.view.strides();
}

}  // namespace samebits
