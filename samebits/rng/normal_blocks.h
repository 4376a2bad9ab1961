// Blocks of sixteen uniform samples made normal, as torch's AVX2 kernel does.
#pragma once

#include <span>

namespace samebits {

/// Sixteen uniform samples in [0, 1) become normal samples. The same bits on every machine: each
/// step is an IEEE operation, fused where torch's kernel fuses.
/// Source: normal_fill_16_AVX2 in aten/src/ATen/native/cpu/DistributionTemplates.h; the
/// polynomials of log, sin and cos are Cephes' (S. Moshier).
void normal_block(std::span<float, 16> samples, float mean, float std);

}  // namespace samebits
