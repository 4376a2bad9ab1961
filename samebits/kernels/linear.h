// Matrix products with a matrix that is used many times: a layer's weights.
//
// Bits: those of reference.h, whatever the kernels, the number of threads, and the number of rows
// that are multiplied together.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "samebits/base/thread_pool.h"
#include "samebits/kernels/kernel_table.h"

namespace samebits {

/// Gives memory whose start is a multiple of 64 bytes.
template <class T>
struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};

  LineAllocator() = default;
  template <class Other>
  LineAllocator(const LineAllocator<Other>&) {}
  T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(::operator new(count * sizeof(T), kLine));
  }
  void deallocate(T* memory, std::size_t) { ::operator delete(memory, kLine); }
  /// Nothing is written into memory that a caller fills.
  template <class Element>
  void construct(Element* at) {
    ::new (static_cast<void*>(at)) Element;
  }
  bool operator==(const LineAllocator&) const { return true; }
};

/// Memory whose start is a multiple of 64 bytes, in every copy too. What is in it at first is not
/// said.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::size_t size) : values_(size) {}
  /// Grows to at least `size`; what was there is lost where it grows.
  void reserve(std::size_t size);
  float* data() { return values_.data(); }
  const float* data() const { return values_.data(); }

 private:
  std::vector<float, LineAllocator<float>> values_;
};

/// What runs the kernels: which ones, and on how many threads.
struct Engine {
  const KernelTable& kernels;
  ThreadPool& pool;
};

/// w [columns, depth] as tiles of kTileColumns columns, zeros behind the last: tile, then panel,
/// then k, then column. The layout is the same for every instruction set.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// `w` is row-major with `stride` elements from row to row.
  PackedMatrix(const float* w, std::size_t columns, std::size_t depth, std::size_t stride);
  /// To be filled by pack(), all of its columns.
  PackedMatrix(std::size_t columns, std::size_t depth);
  /// `w` [count, depth], row-major, becomes columns [first, first + count).
  void pack(const float* w, std::size_t first, std::size_t count);

  std::size_t columns() const { return columns_; }
  std::size_t depth() const { return depth_; }
  std::size_t tiles() const { return (columns_ + kTileColumns - 1) / kTileColumns; }
  /// Equal sizes and elements.
  bool same_bits(const PackedMatrix& other) const;
  const float* tile(std::size_t index) const {
    return values_.data() + index * depth_ * kTileColumns;
  }
  float* tile(std::size_t index) { return values_.data() + index * depth_ * kTileColumns; }

 private:
  std::size_t columns_ = 0, depth_ = 0;
  AlignedFloats values_;
};

/// The stride for rows of `width` floats of which linear() reads or writes many at once: rows whose
/// distance is a multiple of 4096 bytes would all need the same few lines of the first-level cache.
constexpr std::size_t row_stride(std::size_t width) {
  return width % 1024 == 0 ? width + 256 : width;
}

/// Tiles [first, last) of a matrix, or as far as it has them.
struct TileRange {
  std::size_t first = 0, last = static_cast<std::size_t>(-1);
};

/// x is [rows, w.depth()] with `x_stride` elements from row to row, out is [rows, w.columns()] with
/// `out_stride`: x w' finished as `epilogue` says. `bias` has w.columns() elements, and so has
/// `scale`, which Epilogue::scaled needs. Columns outside `tiles` are left as they are.
void linear(const Engine& engine, const float* x, std::size_t x_stride, std::size_t rows,
            const PackedMatrix& w, const float* bias, Epilogue epilogue, float* out,
            std::size_t out_stride, const float* scale = nullptr, TileRange tiles = {});

}  // namespace samebits
