// For tests only: a checkpoint of tensors that are given with their bytes.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

class TestCheckpoint {
 public:
  TestCheckpoint() { made_.candidates.emplace_back(); }
  template <class T>
  TestCheckpoint& add(const std::string& name, DType dtype, Shape shape,
                      const std::vector<T>& values, const std::string& identity = "") {
    auto bytes = std::make_shared<std::vector<std::uint8_t>>(values.size() * sizeof(T));
    if (!bytes->empty()) std::memcpy(bytes->data(), values.data(), bytes->size());
    StoredTensor tensor;
    tensor.path = tensor.name = name;
    tensor.identity = identity;
    const Strides strides = contiguous_strides(shape);
    tensor.view = *TensorView::make(dtype, std::move(shape), strides, 0, Bytes(*bytes));
    made_.owned.push_back(std::move(bytes));
    made_.candidates[0].weights.push_back(static_cast<std::uint32_t>(made_.entries.size()));
    made_.entries.push_back(std::move(tensor));
    return *this;
  }
  TestCheckpoint& config(const std::string& quantization) {
    made_.config = {{"quantization_config", Json::parse(quantization)}};
    return *this;
  }
  const Checkpoint& get() const { return made_; }

 private:
  Checkpoint made_;
};

}  // namespace samebits
