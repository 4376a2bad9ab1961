#include "samebits/train/step_trace.h"

namespace samebits {
namespace {

/// The values of a stored tensor.
NamedArray array_of(const std::string& name, const StoredWeight& weight, const WeightSlot& slot) {
  NamedArray array{.name = name + weight.name};
  for (const std::int64_t size : weight.shape)
    array.shape.push_back(static_cast<std::size_t>(size));
  array.values.resize(weight.count * slot.row_length());
  slot.read_rows(weight.first, weight.count, array.values.data());
  return array;
}

}  // namespace

StepPoint recorder(StepTrace* trace, const std::string& prefix) {
  if (trace == nullptr) return {};
  return
      [trace, prefix](const std::string& name, std::span<const float> values, std::size_t width) {
        trace->arrays.push_back({.name = prefix + name,
                                 .shape = {values.size() / width, width},
                                 .values = {values.begin(), values.end()}});
      };
}

std::vector<NamedArray> record_gradients(TrainedModel& trained, VitWeights& gradient,
                                         StepTrace* trace) {
  std::vector<NamedArray> before;
  const std::vector<WeightSlot> gradients = weight_slots(gradient);
  const std::vector<WeightSlot> weights = weight_slots(trained.model.weights());
  for (const StoredWeight& weight : trained.weights) {
    if (!weight.learns) continue;
    trace->arrays.push_back(array_of("gradient.", weight, gradients[weight.slot]));
    before.push_back(array_of("update.", weight, weights[weight.slot]));
  }
  return before;
}

void record_updates(TrainedModel& trained, std::vector<NamedArray> before, StepTrace* trace) {
  const std::vector<WeightSlot> weights = weight_slots(trained.model.weights());
  std::size_t i = 0;
  for (const StoredWeight& weight : trained.weights) {
    if (!weight.learns) continue;
    const NamedArray after = array_of("", weight, weights[weight.slot]);
    NamedArray& update = before[i++];
    for (std::size_t at = 0; at < after.values.size(); ++at)
      update.values[at] = after.values[at] - update.values[at];
    trace->arrays.push_back(std::move(update));
  }
}

}  // namespace samebits
