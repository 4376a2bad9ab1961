// Records a forward pass: every point's values, written as safetensors that any library reads.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/run/vit_forward.h"
#include "samebits/tensor/dtype.h"

namespace samebits {

/// An array as it is published: float32, or int64 where torch has indexes.
class Published {
 public:
  explicit Published(const NamedArray& array);

  DType dtype() const { return array_->is_index ? DType::int64 : DType::float32; }
  Bytes bytes() const;
  Shape shape() const { return {array_->shape.begin(), array_->shape.end()}; }
  const NamedArray& array() const { return *array_; }

 private:
  const NamedArray* array_;
  std::vector<std::int64_t> indexes_;
};

struct ArraySummary {
  std::string sha256;                          // of the row-major little-endian bytes
  double mean = 0, smallest = 0, largest = 0;  // of the finite values; 0 where there is none
  std::uint64_t not_finite = 0;
};
ArraySummary summarize(const Published& array);

/// Keeps what a pass reports; write() makes a file of it.
class TraceRecorder {
 public:
  /// Also records what went in: pixel_values, and noise where there is some.
  TraceRecorder(const Images& images, std::size_t channels, std::span<const float> noise);

  TracePoint point();

  /// Points stand in execution order in the metadata "samebits.trace" (schema samebits.trace/1),
  /// with digests and statistics and `run`, which describes the run. Errors: as
  /// write_safetensors().
  Result<void> write(const std::string& path, const Json& run) const;

 private:
  void add(std::string_view name, std::span<const float> values,
           const std::vector<std::size_t>& shape);

  std::vector<NamedArray> points_;
};

}  // namespace samebits
