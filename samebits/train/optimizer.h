// AdamW over all weights of a model, with torch's arithmetic, and the norm of their gradient.
//
// Bits: those of reference::adamw() for every element, whatever the number of threads. That is
// torch 2.13's fused AdamW (torch.optim.AdamW(..., fused=True)) but for the last numel % 8 elements
// of a tensor, where torch rounds in another order: reference::adamw_tail(), for the elements that
// a slot lists as such.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "samebits/kernels/linear.h"
#include "samebits/train/weight_slots.h"

namespace samebits {

struct AdamwSettings {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  bool operator==(const AdamwSettings&) const = default;
};

/// Of step `t`, counted from 1, with the learning rate `lr`.
AdamwScalars adamw_scalars(const AdamwSettings& settings, double lr, std::uint64_t t);

/// One array that learns, with its gradient and its moments.
struct LearningSlot {
  WeightSlot weight, gradient, first, second;
  std::size_t group = 0;
  std::vector<std::size_t> tail;  // elements, in memory, that are rounded as torch's tails
};

/// Elements of one slot, by its number: at most reference::kSquaresTogether.
struct SlotPart {
  std::size_t slot = 0, first = 0, count = 0;
};
/// All elements of all slots, in their order.
std::vector<SlotPart> slot_parts(const std::vector<LearningSlot>& slots);

/// The norm of all gradients: the square root, in double, of the reference::sum_of_squares() of
/// every array, added in their order.
double gradient_norm(const Engine& engine, const std::vector<LearningSlot>& slots);
/// The same in two: the sum of squares of each part, and what all parts give.
std::vector<double> part_squares(const Engine& engine, const std::vector<LearningSlot>& slots,
                                 std::span<const SlotPart> parts);
double norm_of_squares(std::span<const SlotPart> parts, std::span<const double> squares);

/// One step for every slot, with the scalars of its group. The role of the first array that is not
/// finite afterwards; "" where all are.
std::string adamw_step(const Engine& engine, const std::vector<LearningSlot>& slots,
                       std::span<const AdamwScalars> of_groups);
/// The same of some parts alone.
std::string adamw_step(const Engine& engine, const std::vector<LearningSlot>& slots,
                       std::span<const SlotPart> parts, std::span<const AdamwScalars> of_groups);

/// into = into + from, array by array. Requires equal sizes.
void add_weights(const Engine& engine, VitWeights& from, VitWeights& into);

}  // namespace samebits
