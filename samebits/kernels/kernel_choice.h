// Which kernels run where nobody asks for some: the fastest of this machine. The widest are not
// always those: a processor may halve its wide instructions, or lower its clock for them.
//
// Bits: the choice moves none, since every kernel gives those of reference.h.
#pragma once

#include <span>
#include <string>

#include "samebits/kernels/kernel_table.h"

namespace samebits {

/// Seconds since some moment.
using SecondsNow = double (*)();

struct KernelChoice {
  const KernelTable* kernels = nullptr;
  std::string reason;  // "measured: a product takes 0.55 of its time with avx2"
};

/// Of `tables`, narrowest first and at least one: the last, unless a product of ViT-B's shape takes
/// less than 0.97 of its time with another. That is measured with `now` for half a millisecond,
/// each in turn, and the shortest time of each counts; a nullptr chooses the last. On a machine
/// that is busy all the while it may choose another one than on a quiet machine.
KernelChoice choose_kernels(std::span<const KernelTable* const> tables, SecondsNow now);

/// What default_kernels() measures with, since no layer below cli reads a clock. To be called
/// before the first call of that; without it, nothing is measured.
void measure_kernels_with(SecondsNow now);

/// choose_kernels() of those that this machine has, once for the whole process.
const KernelChoice& default_kernels();

}  // namespace samebits
