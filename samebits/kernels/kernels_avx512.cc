// AVX-512 (F, BW, CD, DQ, VL); see simd_kernels.h.
#define SAMEBITS_ISA Isa::avx512
#define SAMEBITS_BLOCK_ROWS 14
#include "samebits/kernels/simd_kernels.h"

namespace samebits {

extern const KernelTable kAvx512Kernels;
const KernelTable kAvx512Kernels = kTable;

}  // namespace samebits
