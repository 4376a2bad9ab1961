// What is written where: for each tensor of the output, the elements of the checkpoint that make
// it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/report.h"
#include "samebits/model/predict_load.h"

namespace samebits {

/// Borrows from the checkpoint.
struct PlannedTensor {
  std::string name;
  std::vector<TensorView> pieces;  // stacked along dimension 0; one as a rule
  std::string from;                // the first one's name in the checkpoint
  Shape shape() const;
};

struct TensorPlan {
  std::vector<PlannedTensor> tensors;
  std::string target;                // "transformers-4:ViTMAEModel"; "" where names stay
  std::vector<std::string> assumed;  // sentences
  std::uint64_t renamed() const;     // tensors with another name, or of several pieces
};

/// Rows of one of `parts` equal pieces along dimension 0, which they divide.
Result<TensorView> piece_view(const TensorView& view, std::int64_t part, std::int64_t parts);

/// Errors of every plan: those of check_read(), and what cannot be written exactly, by name.
/// inconsistent for absent values and names that stand twice, unsupported for quantized and sparse
/// tensors, for what loading hands to the model and is no tensor, for adapters and further models.
Result<void> check_plain(const Checkpoint& checkpoint);

/// Names as they stand, without `prefix`. Errors: usage where a name does not begin with it.
Result<TensorPlan> plan_as_named(const Checkpoint& checkpoint, const std::string& prefix);

/// Names, cuts and stacks of a library's class. Errors: those of make_target; inconsistent where
/// the class lacks a place for a tensor or the checkpoint lacks a tensor of it.
Result<TensorPlan> plan_for_class(const Checkpoint& checkpoint, const model::TargetName& target,
                                  const Json& config);

/// Names, cuts and stacks as a repair gives them that check found. Errors: inconsistent where its
/// templates do not fit the checkpoint.
Result<TensorPlan> plan_repair(const Checkpoint& checkpoint, const LoadReport& load);

}  // namespace samebits
