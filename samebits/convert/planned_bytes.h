// A plan's tensors as bytes: cast where a type is asked for, tied where they are one.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "samebits/container/tensor_blob.h"
#include "samebits/convert/tensor_plan.h"

namespace samebits {

/// Borrows from the plan, and so from the checkpoint.
struct PlannedBytes {
  TensorsToWrite output;
  /// For each blob, whether its cast changed a value. Known when it has been fed.
  std::vector<std::shared_ptr<std::atomic<bool>>> rounded;
};

/// `dtype`: of all floating tensors; others keep theirs. Rounds to nearest even, as torch's casts
/// do. Tensors that show the same elements share a blob. A blob's errors: unsupported where a NaN
/// would be cast, whose bits no rule fixes, or a finite number would become infinite.
PlannedBytes planned_bytes(const TensorPlan& plan, std::optional<DType> dtype);

/// Writes the bits of a number that the type holds exactly. Requires can_cast_to(dtype).
void put_number(DType dtype, double number, std::uint8_t* bytes);

/// The types that --dtype takes.
bool can_cast_to(DType dtype);

}  // namespace samebits
