#include "samebits/container/zip_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace samebits::zip {
namespace {

int lower_case(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

class HeapSort {
 public:
  explicit HeapSort(const std::vector<ZipEntry>& entries)
      : entries_(entries), order_(entries.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }

  std::vector<std::size_t> sorted() && {
    const std::size_t size = order_.size();
    for (std::size_t root = size / 2; root-- > 0;) sift(root, size);
    for (std::size_t end = size; end-- > 1;) {
      std::swap(order_[end], order_[0]);
      sift(0, end);
    }
    return std::move(order_);
  }

 private:
  bool less(std::size_t a, std::size_t b) const {
    return compare_names(entries_[order_[a]].name, entries_[order_[b]].name) < 0;
  }

  void sift(std::size_t root, std::size_t end) {
    for (std::size_t child = 2 * root + 1; child < end; child = 2 * root + 1) {
      if (child + 1 < end && less(child, child + 1)) ++child;
      if (!less(root, child)) return;
      std::swap(order_[root], order_[child]);
      root = child;
    }
  }

  const std::vector<ZipEntry>& entries_;
  std::vector<std::size_t> order_;
};

}  // namespace

int compare_names(std::string_view a, std::string_view b) {
  const std::size_t both = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < both; ++i) {
    const int difference = lower_case(a[i]) - lower_case(b[i]);
    if (difference != 0) return difference;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

std::vector<std::size_t> miniz_order(const std::vector<ZipEntry>& entries) {
  return HeapSort(entries).sorted();
}

const ZipEntry* miniz_find(const std::vector<ZipEntry>& entries,
                           const std::vector<std::size_t>& order, std::string_view name) {
  std::size_t begin = 0;
  std::size_t end = order.size();
  while (begin < end) {
    const std::size_t middle = begin + (end - begin - 1) / 2;
    const ZipEntry& entry = entries[order[middle]];
    const int difference = compare_names(entry.name, name);
    if (difference == 0) return &entry;
    (difference < 0 ? begin : end) = difference < 0 ? middle + 1 : middle;
  }
  return nullptr;
}

}  // namespace samebits::zip
