#include "samebits/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "samebits/base/float_mode.h"
#include "samebits/kernels/backward_reference.h"
#include "samebits/train/schedule.h"

namespace samebits {
namespace {

using reference::kSquaresTogether;

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

/// An element that is rounded in the other order, as it was before the step.
struct TailElement {
  std::size_t slot = 0, at = 0;
  float p = 0, m = 0, v = 0;
};

std::vector<TailElement> tails_before(const std::vector<LearningSlot>& slots,
                                      std::span<const SlotPart> parts) {
  std::vector<TailElement> tails;
  for (const SlotPart& part : parts) {
    const LearningSlot& slot = slots[part.slot];
    for (const std::size_t at : slot.tail) {
      if (at < part.first || at - part.first >= part.count) continue;
      tails.push_back(
          {part.slot, at, slot.weight.data()[at], slot.first.data()[at], slot.second.data()[at]});
    }
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

std::vector<SlotPart> slot_parts(const std::vector<LearningSlot>& slots) {
  return parts_of(slots, [](const LearningSlot& slot) { return slot.weight.size(); });
}

std::vector<double> part_squares(const Engine& engine, const std::vector<LearningSlot>& slots,
                                 std::span<const SlotPart> parts) {
  const FloatMode contract;
  std::vector<double> squares(parts.size());
  engine.pool.run(parts.size(), [&](std::size_t i) {
    const SlotPart& part = parts[i];
    squares[i] =
        reference::sum_of_squares(slots[part.slot].gradient.data() + part.first, part.count);
  });
  return squares;
}

double norm_of_squares(std::span<const SlotPart> parts, std::span<const double> squares) {
  const FloatMode contract;
  std::vector<double> of_slots(parts.empty() ? 0 : parts.back().slot + 1, 0.0);
  for (std::size_t i = 0; i < parts.size(); ++i) of_slots[parts[i].slot] += squares[i];
  double total = 0;
  for (const double each : of_slots) total += each;
  return std::sqrt(total);
}

double gradient_norm(const Engine& engine, const std::vector<LearningSlot>& slots) {
  const std::vector<SlotPart> parts = slot_parts(slots);
  return norm_of_squares(parts, part_squares(engine, slots, parts));
}

std::string adamw_step(const Engine& engine, const std::vector<LearningSlot>& slots,
                       std::span<const AdamwScalars> of_groups) {
  return adamw_step(engine, slots, slot_parts(slots), of_groups);
}

std::string adamw_step(const Engine& engine, const std::vector<LearningSlot>& slots,
                       std::span<const SlotPart> parts, std::span<const AdamwScalars> of_groups) {
  const FloatMode contract;
  std::vector<TailElement> tails = tails_before(slots, parts);
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
