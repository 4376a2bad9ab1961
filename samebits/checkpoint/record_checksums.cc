#include "samebits/checkpoint/record_checksums.h"

#include <algorithm>
#include <atomic>
#include <map>

#include <fmt/format.h>

#include "samebits/base/parallel.h"

namespace samebits {
namespace {

/// "archive/data/3", "archive/constants/0".
bool is_storage_record(const ZipEntry& entry) {
  const std::string_view name = entry.name;
  const std::string_view below = name.substr(name.find('/') + 1);
  return below.starts_with("data/") || below.starts_with("constants/") || name.starts_with("data/");
}

bool holds_zeros(const ZipArchive& zip, const ZipEntry& entry) {
  std::vector<std::uint8_t> buffer;
  const Result<Bytes> bytes = zip.read(entry, buffer);
  return bytes && std::ranges::all_of(*bytes, [](std::uint8_t byte) { return byte == 0; });
}

/// The storages of an archive that have no checksum, where other records have one.
struct SkippedRecords {
  std::vector<const ZipEntry*> rooms;  // that hold zeros
  bool any_filled = false, any_unread = false;
};

SkippedRecords skipped_records(const ZipArchive& zip, std::uint64_t most_zeros) {
  SkippedRecords found;
  std::uint64_t zeros = 0;
  for (const ZipEntry& entry : zip.entries()) {
    if (!is_storage_record(entry) || !ArchiveChecksums::has_none(entry)) continue;
    if (entry.method != 0 || zeros + entry.size > most_zeros) {
      found.any_unread = true;
    } else if (holds_zeros(zip, entry)) {
      zeros += entry.size;
      found.rooms.push_back(&entry);
    } else {
      found.any_filled = true;
    }
  }
  return found;
}

/// One archive's records, by the place of their data.
class Archive {
 public:
  explicit Archive(const ZipArchive& zip) : zip_(zip) {
    for (const ZipEntry& entry : zip.entries())
      if (entry.compressed_size > 0) by_place_[entry.data_offset] = &entry;
  }

  const ZipEntry* at(std::uint64_t offset) const {
    const auto after = by_place_.upper_bound(offset);
    if (after == by_place_.begin()) return nullptr;
    const ZipEntry* entry = std::prev(after)->second;
    return offset < entry->data_offset + entry->compressed_size ? entry : nullptr;
  }
  const ZipArchive& zip() const { return zip_; }

 private:
  const ZipArchive& zip_;
  std::map<std::uint64_t, const ZipEntry*> by_place_;
};

std::vector<RecordFault> faults_of_file(const Checkpoint& checkpoint, std::uint32_t file,
                                        const std::vector<std::uint32_t>& entries,
                                        RecordCheck check, int threads, std::size_t* whole) {
  const SourceFile& source = checkpoint.files[file];
  const Result<ZipArchive> zip = ZipArchive::open(source.map->bytes(), source.path);
  if (!zip) return {};
  const Archive archive(*zip);
  std::map<const ZipEntry*, std::vector<std::uint32_t>> held;
  for (const std::uint32_t index : entries)
    if (const ZipEntry* entry = archive.at(checkpoint.entries[index].offset))
      held[entry].push_back(index);
  const ArchiveChecksums checksums(*zip);
  const bool is_numpys = source.container == "npz";
  std::vector<RecordFault> faults;
  std::atomic<std::size_t> hold = 0;
  for (auto& [entry, indexes] : held)
    faults.push_back({entry->name, file, entry->data_offset, entry->crc32, entry->crc32, false,
                      std::move(indexes)});
  std::vector<const ZipEntry*> records;
  for (const auto& [entry, unused] : held) records.push_back(entry);
  parallel_for(records.size(), threads, [&](std::size_t i) {
    if (!is_numpys && ArchiveChecksums::has_none(*records[i])) {
      faults[i].unwritten = checksums.is_unwritten(*records[i]);
    } else if (check == RecordCheck::checksums) {
      const Result<std::uint32_t> actual = zip->actual_crc32(*records[i]);
      if (actual) faults[i].computed = *actual;
      if (actual && *actual == faults[i].stored) ++hold;
    }
  });
  std::erase_if(faults, [](const RecordFault& fault) {
    return !fault.unwritten && fault.stored == fault.computed;
  });
  if (whole != nullptr) *whole += hold;
  return faults;
}

}  // namespace

ArchiveChecksums::ArchiveChecksums(const ZipArchive& zip) {
  const auto& entries = zip.entries();
  absent_ =
      std::ranges::any_of(entries, has_none) &&
      std::ranges::all_of(entries, [](const ZipEntry& e) { return e.size == 0 || has_none(e); });
  no_values_ = std::ranges::all_of(entries, [&](const ZipEntry& entry) {
    return !is_storage_record(entry) || !has_none(entry) || holds_zeros(zip, entry);
  });
}

bool ArchiveChecksums::is_unwritten(const ZipEntry& entry) const {
  return no_values_ && has_none(entry) && is_storage_record(entry);
}

std::vector<RecordFault> faults_of_records(const Checkpoint& checkpoint,
                                           const std::vector<std::uint32_t>& entries,
                                           RecordCheck check, int threads, std::size_t* whole) {
  std::map<std::uint32_t, std::vector<std::uint32_t>> by_file;
  for (const std::uint32_t index : entries) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const std::string& container = checkpoint.files[tensor.file].container;
    if (tensor.readable && tensor.view.numel() > 0 &&
        (container == "torch-zip" || container == "npz"))
      by_file[tensor.file].push_back(index);
  }
  std::vector<RecordFault> faults;
  for (const auto& [file, members] : by_file)
    for (RecordFault& fault : faults_of_file(checkpoint, file, members, check, threads, whole))
      faults.push_back(std::move(fault));
  std::ranges::sort(faults, {}, [](const RecordFault& f) { return std::pair(f.file, f.offset); });
  return faults;
}

void note_absent_checksums(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file) {
  const auto& entries = zip.entries();
  const bool absent =
      std::ranges::all_of(entries, [](const ZipEntry& e) { return e.crc32 == 0 || e.size == 0; });
  std::size_t storages = 0, without = 0;
  for (const ZipEntry& entry : entries) {
    if (!is_storage_record(entry) || entry.size == 0) continue;
    ++storages;
    without += ArchiveChecksums::has_none(entry) ? 1 : 0;
  }
  if (without == 0) return;
  checkpoint.oddities.push_back(
      absent ? Oddity{.kind = Oddity::Kind::no_checksums,
                      .summary = "the archive was written without checksums: whether its records "
                                 "are whole cannot be told",
                      .file = file}
             : Oddity{.kind = Oddity::Kind::skipped,
                      .summary = fmt::format(
                          "{} of {} storages have no checksum, as torch.serialization.skip_data "
                          "leaves them: room whose values are written later, or never",
                          without, storages),
                      .file = file});
}

std::string unwritten_text(const std::string& record) {
  return fmt::format(
      "the values of record {} were never written: zeros without a checksum, as "
      "torch.serialization.skip_data leaves them",
      record);
}

void find_unwritten(Checkpoint& checkpoint) {
  constexpr std::uint64_t kMostZeros = std::uint64_t{256} << 20U;
  std::uint64_t zeros = 0;
  for (std::uint32_t file = 0; file < checkpoint.files.size(); ++file) {
    const auto said = [&](const Oddity& oddity) {
      return oddity.file == file && oddity.kind == Oddity::Kind::skipped;
    };
    if (std::ranges::none_of(checkpoint.oddities, said)) continue;
    const SourceFile source = checkpoint.files[file];
    const Result<ZipArchive> zip = ZipArchive::open(source.map->bytes(), source.path);
    if (!zip) continue;
    const SkippedRecords found = skipped_records(*zip, kMostZeros - zeros);
    // Where some were filled, others may have been filled with zeros.
    if (found.any_filled) continue;
    for (const ZipEntry* entry : found.rooms) {
      zeros += entry->size;
      Oddity oddity{.kind = Oddity::Kind::unwritten,
                    .summary = unwritten_text(entry->name),
                    .file = file,
                    .offset = entry->data_offset};
      name_tensors_of(checkpoint, *entry, &oddity);
      checkpoint.oddities.push_back(std::move(oddity));
    }
    if (!found.any_unread) std::erase_if(checkpoint.oddities, said);
  }
}

void name_tensors_of(const Checkpoint& checkpoint, const ZipEntry& entry, Oddity* oddity) {
  for (const StoredTensor& tensor : checkpoint.entries) {
    if (tensor.file == oddity->file && tensor.offset >= entry.data_offset &&
        tensor.offset < entry.data_offset + entry.compressed_size)
      oddity->tensors.push_back(tensor.path);
  }
}

bool lacks_checksums(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.oddities, [](const Oddity& oddity) {
    return oddity.kind == Oddity::Kind::no_checksums;
  });
}

}  // namespace samebits
