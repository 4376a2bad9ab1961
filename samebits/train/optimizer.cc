#include "samebits/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "samebits/base/float_mode.h"
#include "samebits/kernels/backward_reference.h"
#include "samebits/train/schedule.h"

namespace samebits {
namespace {

using reference::kSquaresTogether;

/// Parts of so many elements of all arrays.
struct SlotPart {
  std::size_t slot = 0, first = 0, count = 0;
};

template <class Slots, class Size>
std::vector<SlotPart> parts_of(const Slots& slots, Size size) {
  std::vector<SlotPart> parts;
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    const std::size_t count = size(slots[slot]);
    for (std::size_t first = 0; first < count; first += kSquaresTogether)
      parts.push_back({slot, first, std::min(kSquaresTogether, count - first)});
  }
  return parts;
}

std::size_t learning_size(const LearningSlot& slot) { return slot.weight.size(); }

/// An element that is rounded in the other order, as it was before the step.
struct TailElement {
  std::size_t slot = 0, at = 0;
  float p = 0, m = 0, v = 0;
};

std::vector<TailElement> tails_before(const std::vector<LearningSlot>& slots) {
  std::vector<TailElement> tails;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    for (const std::size_t at : slots[i].tail)
      tails.push_back({i, at, slots[i].weight.data()[at], slots[i].first.data()[at],
                       slots[i].second.data()[at]});
  }
  return tails;
}

void step_tails(std::span<const AdamwScalars> of_groups, const std::vector<LearningSlot>& slots,
                std::vector<TailElement>& tails) {
  for (TailElement& each : tails) {
    const LearningSlot& slot = slots[each.slot];
    reference::adamw_tail(of_groups[slot.group], slot.gradient.data()[each.at], &each.p, &each.m,
                          &each.v);
    slot.weight.data()[each.at] = each.p;
    slot.first.data()[each.at] = each.m;
    slot.second.data()[each.at] = each.v;
  }
}

}  // namespace

AdamwScalars adamw_scalars(const AdamwSettings& settings, double lr, std::uint64_t t) {
  const FloatMode contract;
  const double first = 1 - power(settings.beta1, t);
  const double second = 1 - power(settings.beta2, t);
  return {.decay = static_cast<float>(1 - lr * settings.weight_decay),
          .decays = settings.weight_decay != 0,
          .first = static_cast<float>(1 - settings.beta1),
          .second = static_cast<float>(settings.beta2),
          .second_rest = static_cast<float>(1 - settings.beta2),
          .root_correction = static_cast<float>(std::sqrt(second)),
          .eps = static_cast<float>(settings.eps),
          .step = static_cast<float>(-(lr / first))};
}

double gradient_norm(const Engine& engine, const std::vector<LearningSlot>& slots) {
  const FloatMode contract;
  const std::vector<SlotPart> parts = parts_of(slots, learning_size);
  std::vector<double> squares(parts.size());
  engine.pool.run(parts.size(), [&](std::size_t i) {
    const SlotPart& part = parts[i];
    squares[i] =
        reference::sum_of_squares(slots[part.slot].gradient.data() + part.first, part.count);
  });
  std::vector<double> of_slots(slots.size(), 0.0);
  for (std::size_t i = 0; i < parts.size(); ++i) of_slots[parts[i].slot] += squares[i];
  double total = 0;
  for (const double each : of_slots) total += each;
  return std::sqrt(total);
}

std::string adamw_step(const Engine& engine, const std::vector<LearningSlot>& slots,
                       std::span<const AdamwScalars> of_groups) {
  const FloatMode contract;
  const std::vector<SlotPart> parts = parts_of(slots, learning_size);
  std::vector<TailElement> tails = tails_before(slots);
  std::vector<char> finite(parts.size());
  engine.pool.run(parts.size(), [&](std::size_t i) {
    const SlotPart& part = parts[i];
    const LearningSlot& slot = slots[part.slot];
    finite[i] =
        engine.kernels.adamw(of_groups[slot.group], slot.gradient.data() + part.first, part.count,
                             slot.weight.data() + part.first, slot.first.data() + part.first,
                             slot.second.data() + part.first)
            ? 1
            : 0;
  });
  step_tails(of_groups, slots, tails);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (finite[i] == 0) return slots[parts[i].slot].weight.role;
  }
  return "";
}

void add_weights(const Engine& engine, VitWeights& from, VitWeights& into) {
  const FloatMode contract;
  const std::vector<WeightSlot> summands = weight_slots(from);
  const std::vector<WeightSlot> sums = weight_slots(into);
  SAMEBITS_CHECK(summands.size() == sums.size());
  const std::vector<SlotPart> parts =
      parts_of(sums, [](const WeightSlot& slot) { return slot.size(); });
  engine.pool.run(parts.size(), [&](std::size_t i) {
    const SlotPart& part = parts[i];
    engine.kernels.add_row(summands[part.slot].data() + part.first, part.count,
                           sums[part.slot].data() + part.first);
  });
}

}  // namespace samebits
