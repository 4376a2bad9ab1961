// Records of a zip archive that stand there more than once, and what numpy makes of an .npz.
//
// Source: zipfile of Python 3.11, NpzFile of numpy 2.4 (numpy/lib/_npyio_impl.py).
#pragma once

#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/container/zip.h"

namespace samebits {

/// An oddity `incomplete` for each name under which records of unlike content stand: which of them
/// torch and numpy take.
void find_doubled_records(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file);

/// For each entry whether numpy.load gives the array of this record, and not that of another of the
/// same name: the last counts, and a name without .npy before one with it.
std::vector<bool> numpys_choices(const ZipArchive& zip);

/// Why numpy.load refuses an .npz, as oddities `refused`. Checksums are not looked at.
void find_npz_refusals(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file);

}  // namespace samebits
