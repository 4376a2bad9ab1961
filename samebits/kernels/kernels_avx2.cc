// AVX2 and FMA; see simd_kernels.h.
#define SAMEBITS_ISA Isa::avx2
#define SAMEBITS_BLOCK_ROWS 3
#include "samebits/kernels/simd_kernels.h"

namespace samebits {

extern const KernelTable kAvx2Kernels;
const KernelTable kAvx2Kernels = kTable;

}  // namespace samebits
