// A layer's weight with its low-rank update added, in the steps and types of peft on a CPU.
//
// Source: peft 0.21.2, tuners/lora/layer.py (get_delta_weight, merge), dora.py and variants.py
// (DoraLinearVariant).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "samebits/base/error.h"
#include "samebits/base/thread_pool.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// Borrows its views.
struct LowRankUpdate {
  TensorView down;  // lora_A: [rank, in], of a convolution [rank, in, height, width]
  TensorView up;    // lora_B: [out, rank], of a convolution [out, rank, 1, 1]
  std::optional<TensorView> magnitudes;  // DoRA: one for each of `out`
  double scale = 1;
  bool transposed = false;  // the weight is [in, out]
};

/// The update's shape, [out, in, ...] or [in, out]; nothing where its factors do not fit together.
std::optional<Shape> shape_of_update(const LowRankUpdate& update);

/// Writes the merged weight, row-major, in the type of `base`, to `bytes`, which are as many.
///
/// B A in float32, each element by the chain of kernels/reference.h: fma() for ascending rank, in
/// panels of 256. torch's product on a CPU gives the same bits where MKL computes it with one
/// chain, as it does up to rank 256 for matrices of several rows and columns. Then as peft does:
/// times the scale in float32, rounded to the type of the factors; added to the base in the wider
/// of both types; rounded to the base's. DoRA: the rows of that sum are brought to the length of
/// the magnitudes; a row's length is summed in double here and in float32 there.
///
/// Requires shape_of_update() to be the base's. Errors: unsupported for a base of another type than
/// float64, float32, float16 and bfloat16, and for factors of another than the last three.
Result<void> merge_weight(const TensorView& base, const LowRankUpdate& update, ThreadPool& pool,
                          std::span<std::uint8_t> bytes);

}  // namespace samebits
