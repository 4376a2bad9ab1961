// Small sets of weights for tests, which own their bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "samebits/compare/alignment.h"

namespace samebits {

class TestWeights {
 public:
  /// Float32 values.
  TestWeights& add(const std::string& name, Shape shape, const std::vector<float>& values) {
    return add_raw(name, DType::float32, std::move(shape), values);
  }
  /// Values that no other seed has.
  TestWeights& random(const std::string& name, Shape shape, std::uint32_t seed) {
    return add(name, shape, numbers(*element_count(shape), seed));
  }
  TestWeights& constant(const std::string& name, Shape shape, float value) {
    return add(name, shape, std::vector<float>(*element_count(shape), value));
  }
  template <class T>
  TestWeights& add_raw(const std::string& name, DType dtype, Shape shape,
                       const std::vector<T>& values) {
    std::vector<std::uint8_t>& bytes = storage_->emplace_back(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    const Strides strides = contiguous_strides(shape);
    tensors_.push_back({.name = name,
                        .view = *TensorView::make(dtype, std::move(shape), strides, 0, bytes),
                        .storage = static_cast<std::uint32_t>(storage_->size())});
    return *this;
  }
  /// The tensor added last once more under another name, in the same storage.
  TestWeights& tie(const std::string& name) {
    tensors_.push_back(tensors_.back());
    tensors_.back().name = name;
    return *this;
  }
  TestWeights& roles(std::vector<std::string> roles) {
    tensors_.back().roles = std::move(roles);
    return *this;
  }
  TestWeights& unreadable() {
    tensors_.back().readable = false;
    return *this;
  }
  WeightSet set() const { return WeightSet(tensors_); }

  static std::vector<float> numbers(std::uint64_t count, std::uint32_t seed) {
    std::vector<float> values(count);
    std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
    for (float& value : values) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      value = static_cast<float>(static_cast<double>(state >> 40) / (1 << 24) - 0.5);
    }
    return values;
  }

 private:
  // Shared by copies, whose views borrow from it.
  std::shared_ptr<std::deque<std::vector<std::uint8_t>>> storage_ =
      std::make_shared<std::deque<std::vector<std::uint8_t>>>();
  std::vector<NamedTensor> tensors_;
};

inline WeightComparison compare(const TestWeights& a, const TestWeights& b, int threads = 2) {
  WeightSet set_a = a.set();
  WeightSet set_b = b.set();
  return compare_weights(set_a, set_b, {threads});
}

}  // namespace samebits
