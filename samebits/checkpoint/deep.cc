#include "samebits/checkpoint/deep.h"

#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/container/zip.h"

namespace samebits {
namespace {

/// Exponent all ones: not finite; NaN where the fraction is not zero.
template <class T>
void count_ieee(Bytes bytes, T exponent, T fraction, NotFinite& count) {
  for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T bits;
    std::memcpy(&bits, bytes.data() + i, sizeof(T));
    if ((bits & exponent) != exponent) continue;
    ++((bits & fraction) != 0 ? count.nan : count.inf);
  }
}

void count_elements(const DType dtype, Bytes bytes, NotFinite& count) {
  const std::uint64_t size = itemsize(dtype);
  for (std::size_t i = 0; i + size <= bytes.size(); i += size) {
    const double value = element_as_double(dtype, bytes.data() + i);
    count.nan += std::isnan(value) ? 1 : 0;
    count.inf += std::isinf(value) ? 1 : 0;
  }
}

void count_block(DType dtype, Bytes bytes, NotFinite& count) {
  switch (dtype) {
    case DType::float64:
    case DType::complex128:
      return count_ieee<std::uint64_t>(bytes, 0x7ff0000000000000ull, 0x000fffffffffffffull, count);
    case DType::float32:
    case DType::complex64: return count_ieee<std::uint32_t>(bytes, 0x7f800000u, 0x007fffffu, count);
    case DType::float16:
    case DType::complex32: return count_ieee<std::uint16_t>(bytes, 0x7c00, 0x03ff, count);
    case DType::bfloat16: return count_ieee<std::uint16_t>(bytes, 0x7f80, 0x007f, count);
    case DType::float8_e4m3fn:
    case DType::float8_e4m3fnuz:
    case DType::float8_e5m2:
    case DType::float8_e5m2fnuz:
    case DType::float8_e8m0fnu: return count_elements(dtype, bytes, count);
    default: return;
  }
}

void check_zip(Checkpoint& checkpoint, std::uint32_t file, int threads) {
  const SourceFile& source = checkpoint.files[file];
  const Result<ZipArchive> zip = ZipArchive::open(source.map->bytes(), source.path);
  if (!zip) return;
  const auto& entries = zip->entries();
  const bool of_torch = source.container == "torch-zip";
  const ArchiveChecksums checksums(*zip);
  std::vector<std::string> faults(entries.size());
  WorkStep step("taking checksums", entries.size());
  parallel_for(entries.size(), threads, [&](std::size_t i) {
    step.add(1);
    if (of_torch && ArchiveChecksums::has_none(entries[i])) {
      if (checksums.is_unwritten(entries[i])) faults[i] = unwritten_text(entries[i].name);
      return;
    }
    const Result<std::uint32_t> actual = zip->actual_crc32(entries[i]);
    if (!actual) {
      faults[i] = actual.error().what;
    } else if (*actual != entries[i].crc32) {
      faults[i] =
          bad_checksum_text(entries[i].name, entries[i].crc32, *actual, source.container == "npz");
    }
  });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool said = std::ranges::any_of(checkpoint.oddities, [&](const Oddity& oddity) {
      return (oddity.kind == Oddity::Kind::bad_checksum ||
              oddity.kind == Oddity::Kind::unwritten) &&
             oddity.file == file && oddity.offset == entries[i].data_offset;
    });
    if (faults[i].empty() || said) continue;
    const bool unwritten = of_torch && ArchiveChecksums::has_none(entries[i]);
    Oddity oddity{.kind = unwritten ? Oddity::Kind::unwritten : Oddity::Kind::bad_checksum,
                  .summary = faults[i],
                  .file = file,
                  .offset = entries[i].data_offset};
    name_tensors_of(checkpoint, entries[i], &oddity);
    checkpoint.oddities.push_back(std::move(oddity));
  }
}

}  // namespace

std::string bad_checksum_text(const std::string& record, std::uint32_t stored,
                              std::uint32_t computed, bool npz) {
  return fmt::format("the checksum of record {} does not hold (stored {:08x}, computed {:08x}); {}",
                     record, stored, computed,
                     npz ? "numpy.load refuses it" : "torch does not check it");
}

void read_checksums(Checkpoint& checkpoint, int threads) {
  for (std::uint32_t file = 0; file < checkpoint.files.size(); ++file)
    if (checkpoint.files[file].container == "npz") check_zip(checkpoint, file, threads);
}

NotFinite count_not_finite(const TensorView& view) {
  NotFinite count;
  const DTypeFamily family = info(view.dtype()).family;
  if (family != DTypeFamily::floating && family != DTypeFamily::complex) return count;
  constexpr std::uint64_t kBlock = 1 << 16;
  std::vector<std::uint8_t> buffer;
  for (std::uint64_t first = 0; first < view.numel(); first += kBlock) {
    count_block(view.dtype(),
                view.row_major_range(first, std::min(kBlock, view.numel() - first), buffer), count);
  }
  return count;
}

void read_deep(Checkpoint& checkpoint, int threads) {
  checkpoint.read_in_depth = true;
  const std::vector<StoredTensor>& entries = checkpoint.entries;
  const std::vector<std::size_t> first_of = first_showing(entries);
  std::vector<NotFinite> counts(entries.size());
  WorkStep step("reading values", counts.size());
  parallel_for(counts.size(), threads, [&](std::size_t i) {
    if (entries[i].readable && first_of[i] == i) counts[i] = count_not_finite(entries[i].view);
    step.add(1);
  });
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = counts[first_of[i]];
    if (counts[i].nan == 0 && counts[i].inf == 0) continue;
    const StoredTensor& tensor = checkpoint.entries[i];
    checkpoint.oddities.push_back(
        {.kind = Oddity::Kind::not_finite,
         .summary = fmt::format("{} holds {} NaN and {} infinite values", tensor.path,
                                counts[i].nan, counts[i].inf),
         .file = tensor.file,
         .offset = tensor.offset,
         .tensors = {tensor.path}});
  }
  for (std::uint32_t file = 0; file < checkpoint.files.size(); ++file) {
    const std::string& container = checkpoint.files[file].container;
    if (container == "torch-zip" || container == "npz" || container == "zip")
      check_zip(checkpoint, file, threads);
  }
}

}  // namespace samebits
