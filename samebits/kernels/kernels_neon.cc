// NEON, which every AArch64 machine has; see simd_kernels.h. Two rows of eight vectors, the eight
// of the weights and the two of x take 26 of the 32 registers; a third row would not fit.
#define SAMEBITS_ISA Isa::neon
#define SAMEBITS_BLOCK_ROWS 2
#include "samebits/kernels/simd_kernels.h"

namespace samebits {

extern const KernelTable kNeonKernels;
const KernelTable kNeonKernels = kTable;

}  // namespace samebits
