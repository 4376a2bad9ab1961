#include "samebits/compare/weight_set.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/compare/constant_tensor.h"
#include "samebits/tensor/distinct_views.h"

namespace samebits {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

}  // namespace

WeightSet::WeightSet(std::vector<NamedTensor> tensors)
    : tensors_(std::move(tensors)),
      by_name_(std::bit_ceil(2 * tensors_.size() + 1), kNone),
      digests_(tensors_.size()),
      constant_(tensors_.size()) {
  for (std::uint32_t i = 0; i < tensors_.size(); ++i) {
    std::uint32_t& place = by_name_[place_of(tensors_[i].name)];
    if (place == kNone) place = i;  // of equal names the first
  }
  DistinctViews distinct;
  for (std::uint32_t i = 0; i < tensors_.size(); ++i) {
    const bool may_be_shared = tensors_[i].readable && tensors_[i].view.numel() > 0;
    same_as_.push_back(may_be_shared ? static_cast<std::uint32_t>(distinct.add(tensors_[i].view, i))
                                     : i);
  }
}

// Where the name stands in the table, or would stand.
std::size_t WeightSet::place_of(std::string_view name) const {
  const std::size_t mask = by_name_.size() - 1;
  std::size_t at = std::hash<std::string_view>()(name) & mask;
  while (by_name_[at] != kNone && tensors_[by_name_[at]].name != name) at = (at + 1) & mask;
  return at;
}

std::optional<std::uint32_t> WeightSet::find(std::string_view name) const {
  if (by_name_.empty()) return std::nullopt;
  const std::uint32_t found = by_name_[place_of(name)];
  return found == kNone ? std::nullopt : std::optional(found);
}

bool WeightSet::is_constant(std::uint32_t index) const {
  const NamedTensor& tensor = tensors_[index];
  if (!tensor.readable) return false;
  std::optional<bool>& known = constant_[same_as_[index]];
  if (!known) known = samebits::is_constant(tensor.view);
  return *known;
}

void WeightSet::compute_digests(const std::vector<std::uint32_t>& which, int threads) {
  std::vector<std::uint32_t> missing;
  std::vector<bool> is_missing(tensors_.size());
  for (const std::uint32_t index : which) {
    const std::uint32_t first = same_as_[index];
    if (digests_[first] || is_missing[first]) continue;
    is_missing[first] = true;
    missing.push_back(first);
  }
  // The largest first, so that no thread is left alone with one.
  std::stable_sort(missing.begin(), missing.end(), [this](std::uint32_t x, std::uint32_t y) {
    return tensors_[x].view.nbytes() > tensors_[y].view.nbytes();
  });
  std::uint64_t bytes = 0;
  for (const std::uint32_t i : missing) bytes += tensors_[i].view.nbytes();
  WorkStep step("taking digests", bytes);
  parallel_for(missing.size(), threads, [&](std::size_t i) {
    digests_[missing[i]] = fast_digest(tensors_[missing[i]].view);
    step.add(tensors_[missing[i]].view.nbytes());
  });
}

}  // namespace samebits
