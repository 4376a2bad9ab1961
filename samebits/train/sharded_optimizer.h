// An optimizer's step that the ranks of a training divide among them: each owns a part of what
// learns, adds the gradients of that part, makes its step, and gives the new weights to the others.
//
// Bits: those of one process. What ranks hold are nodes of the step's tree (step_tree.h), and the
// owner adds them where the tree adds them, whoever they come from and in whatever order.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "samebits/train/optimizer.h"
#include "samebits/train/process_group.h"
#include "samebits/train/step_tree.h"

namespace samebits {

/// A gradient over a node of the tree. Borrows it.
struct PartialSum {
  LeafRange node;
  VitWeights* gradient = nullptr;
};

class ShardedOptimizer {
 public:
  /// Requires slots whose gradients are kept whole. Borrows the group, and what slots point to.
  ShardedOptimizer(ProcessGroup& group, const std::vector<LearningSlot>& slots);

  /// Of `leaves` leaves this rank has the sums of nodes_inside(its leaves). The sum of all is then
  /// in the gradients of what it owns. Errors, here and below: those of ProcessGroup::exchange().
  Result<void> sum(const Engine& engine, std::size_t leaves, const std::vector<PartialSum>& sums);
  /// gradient_norm(), to all ranks, after sum().
  Result<double> norm(const Engine& engine);
  /// adamw_step() of what this rank owns.
  std::string step(const Engine& engine, std::span<const AdamwScalars> of_groups);
  /// Each rank's weights to all others.
  Result<void> share_weights();
  /// Each rank's moments to rank 0.
  Result<void> collect_moments();

 private:
  /// An array of each slot: its weight, a moment, a gradient.
  using Arrays = std::vector<float*>;

  std::span<const SlotPart> parts_of_rank(std::size_t rank) const;
  std::size_t elements_of_rank(std::size_t rank) const;
  Arrays arrays(WeightSlot LearningSlot::* which) const;
  Arrays gradients_of(VitWeights& gradient) const;
  void pack_sums(std::size_t rank, const std::vector<Arrays>& sums);
  void copy_out(std::size_t rank, const Arrays& arrays, float* out) const;
  void copy_in(std::size_t rank, const float* from, const Arrays& arrays) const;

  ProcessGroup& group_;
  std::vector<LearningSlot> slots_;
  std::vector<SlotPart> parts_;      // of all slots, in their order
  std::vector<std::size_t> begins_;  // of each rank's parts, and the end
  // What goes and comes, kept from step to step: new memory costs more than what is done with it.
  std::vector<float> out_;
  std::vector<std::vector<float>> of_ranks_;
};

}  // namespace samebits
