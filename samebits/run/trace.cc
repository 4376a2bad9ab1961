#include "samebits/run/trace.h"

#include <algorithm>
#include <cmath>

#include "samebits/base/float_mode.h"
#include "samebits/container/safetensors_writer.h"
#include "samebits/tensor/digest.h"

namespace samebits {

Published::Published(const NamedArray& array) : array_(&array) {
  if (!array.is_index) return;
  for (const float value : array.values) indexes_.push_back(static_cast<std::int64_t>(value));
}

Bytes Published::bytes() const {
  if (array_->is_index)
    return {reinterpret_cast<const std::uint8_t*>(indexes_.data()), indexes_.size() * 8};
  return {reinterpret_cast<const std::uint8_t*>(array_->values.data()), array_->values.size() * 4};
}

ArraySummary summarize(const Published& published) {
  const FloatMode contract;
  ArraySummary summary{.sha256 = sha256_hex(published.bytes())};
  double sum = 0;
  std::size_t finite = 0;
  for (const float value : published.array().values) {
    if (!std::isfinite(value)) continue;
    summary.smallest = finite == 0 ? value : std::min<double>(summary.smallest, value);
    summary.largest = finite == 0 ? value : std::max<double>(summary.largest, value);
    sum += value;
    ++finite;
  }
  summary.not_finite = published.array().values.size() - finite;
  summary.mean = finite == 0 ? 0 : sum / static_cast<double>(finite);
  return summary;
}

TraceRecorder::TraceRecorder(const Images& images, std::size_t channels,
                             std::span<const float> noise) {
  add("pixel_values", images.values, {images.count, channels, images.height, images.width});
  if (!noise.empty()) add("noise", noise, {images.count, noise.size() / images.count});
}

TracePoint TraceRecorder::point() {
  return [this](std::string_view name, std::span<const float> values,
                const std::vector<std::size_t>& shape) { add(name, values, shape); };
}

void TraceRecorder::add(std::string_view name, std::span<const float> values,
                        const std::vector<std::size_t>& shape) {
  points_.push_back({std::string(name), shape, {values.begin(), values.end()}});
}

Result<void> TraceRecorder::write(const std::string& path, const Json& run) const {
  Json points = Json::array();
  std::vector<TensorToWrite> tensors;
  for (const NamedArray& point : points_) {
    const Published published(point);
    const ArraySummary summary = summarize(published);
    tensors.push_back({point.name, published.dtype(), published.shape(), published.bytes()});
    points.push_back({{"name", point.name},
                      {"sha256", summary.sha256},
                      {"mean", summary.mean},
                      {"min", summary.smallest},
                      {"max", summary.largest},
                      {"not_finite", summary.not_finite}});
  }
  const Json trace = {{"schema", "samebits.trace/1"}, {"points", std::move(points)}, {"run", run}};
  return write_safetensors(path, tensors, {{"format", "pt"}, {"samebits.trace", json_text(trace)}});
}

}  // namespace samebits
