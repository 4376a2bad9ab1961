#include <algorithm>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/deep.h"
#include "samebits/checkpoint/exported_program.h"
#include "samebits/checkpoint/foreign_files.h"
#include "samebits/checkpoint/numpy_files.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/checkpoint/script_program.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/torch_refusals.h"
#include "samebits/checkpoint/torch_script.h"
#include "samebits/checkpoint/zip_records.h"
#include "samebits/container/npy.h"
#include "samebits/container/safetensors.h"
#include "samebits/container/zip.h"
#include "samebits/container/zip_loaders.h"
#include "samebits/container/zip_order.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

/// "archive/" of "archive/data.pkl"; nothing where no entry is named data.pkl in the first level.
/// torch looks in the folder of the first record only.
std::optional<std::string> find_prefix(const ZipArchive& zip) {
  if (zip.entries().empty()) return std::nullopt;
  const std::string& first = zip.entries().front().name;
  const std::string folder = first.substr(0, first.find('/') + 1);
  if (!folder.empty() && zip.find(folder + "data.pkl") != nullptr) return folder;
  if (zip.find("data.pkl") != nullptr) return "";
  for (const ZipEntry& entry : zip.entries()) {
    const std::size_t slash = entry.name.find('/');
    if (slash != std::string::npos && entry.name.substr(slash) == "/data.pkl")
      return entry.name.substr(0, slash + 1);
  }
  return std::nullopt;
}

class ZipReader {
 public:
  ZipReader(Checkpoint& checkpoint, const FilePart& part, ZipArchive zip)
      : out_(checkpoint),
        part_(part),
        zip_(std::move(zip)),
        budget_(kLimits.inflate_total +
                kLimits.inflate_total_factor * checkpoint.files[part.file].map->size()) {}

  Result<void> read() {
    note_structure();
    const auto prefix = find_prefix(zip_);
    if (!prefix || is_stack_of_archives(zip_)) return read_other();
    prefix_ = *prefix;
    out_.files[part_.file].container = "torch-zip";
    note_small_records();
    SAMEBITS_TRY(const bool big_endian, read_byte_order());
    storages_.big_endian = big_endian;
    collect_storages();
    find_doubled_records(out_, zip_, part_.file);
    note_absent_checksums(out_, zip_, part_.file);
    Result<void> read = read_pickles();
    find_zip_refusals(out_, zip_, prefix_, part_.file);
    return read;
  }

 private:
  void note_structure() {
    for (const auto& [begin, end] : zip_.structure())
      use_bytes(out_, part_.file, begin, end, ByteUse::structure);
    for (const ContainerNote& note : zip_.notes()) {
      out_.oddities.push_back({.kind = Oddity::Kind::container,
                               .summary = note.what,
                               .file = part_.file,
                               .offset = note.offset});
    }
  }

  /// Everything that is not a storage: pickles, version, byteorder, code.
  void note_small_records() {
    for (const ZipEntry& entry : zip_.entries()) {
      const bool inflated = entry.method != 0;
      if (inflated || !is_storage(entry))
        use_bytes(out_, part_.file, entry.data_offset, entry.data_offset + entry.compressed_size,
                  ByteUse::structure);
    }
    if (part_.main) read_versions();
  }

  bool is_storage(const ZipEntry& entry) const {
    return is_below(entry, "data/") || is_below(entry, "constants/");
  }

  /// Whatever the case of the folder's letters: so torch finds it.
  bool is_below(const ZipEntry& entry, const char* folder) const {
    const std::string begin = prefix_ + folder;
    return zip::compare_names(std::string_view(entry.name).substr(0, begin.size()), begin) == 0;
  }

  std::optional<std::string> small_text(const std::string& name) {
    const ZipEntry* entry = zip_.find(prefix_ + name);
    if (entry == nullptr || entry->size > 4096) return std::nullopt;
    std::vector<std::uint8_t> buffer;
    const Result<Bytes> bytes = zip_.read(*entry, buffer);
    if (!bytes) return std::nullopt;
    std::string text(as_text(*bytes));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
  }

  void read_versions() {
    if (const auto version = small_text("version"))
      out_.producer["torch_format"] = "zip, version " + *version;
    if (const auto version = small_text(".data/version"))
      out_.producer["torch_format"] = "zip, version " + *version;
  }

  Result<bool> read_byte_order() {
    const auto order = small_text("byteorder");  // without the line's end, which torch refuses
    if (!order || *order == "little") return false;
    if (*order == "big") return true;
    return fail({.code = ErrorCode::malformed,
                 .what = "the record byteorder is invalid",
                 .file = zip_.path(),
                 .expected = "little or big",
                 .found = *order});
  }

  void collect_storages() {
    std::uint32_t id = next_storage_id(out_);
    for (const ZipEntry& entry : zip_.entries()) {
      // Of records with one name torch takes this one.
      if (!is_storage(entry) || zip_.find(entry.name) != &entry) continue;
      const std::size_t folder = prefix_.size() + (is_below(entry, "data/") ? 5 : 0);
      std::string key = entry.name.substr(folder);
      storages_.by_key.emplace(std::move(key), record_of(entry, id++));
    }
  }

  StorageRecord record_of(const ZipEntry& entry, std::uint32_t id) {
    StorageRecord record{
        .file = part_.file, .offset = entry.data_offset, .id = id, .inflated = entry.method != 0};
    if (zip::miniz_fills_nothing(entry)) {
      record.error = Error{.code = ErrorCode::inconsistent,
                           .what = "the directory marks the record " + entry.name +
                                   " as a folder: torch.load reads no byte of it, and takes what "
                                   "its memory held",
                           .file = zip_.path(),
                           .offset = entry.central_offset};
      return record;
    }
    auto buffer = std::make_shared<std::vector<std::uint8_t>>();
    Result<Bytes> bytes = entry.method == 0 ? zip_.stored(entry) : inflate(entry, *buffer);
    if (bytes) {
      record.bytes = *bytes;
      if (entry.method != 0) out_.owned.push_back(std::move(buffer));
    } else {
      record.error = std::move(bytes).error();
    }
    return record;
  }

  /// The entry's bytes. Every deflated record is kept, so that their sum is bounded too.
  Result<Bytes> inflate(const ZipEntry& entry, std::vector<std::uint8_t>& buffer) {
    if (entry.method != 0) {
      if (entry.size > budget_) {
        return fail({.code = ErrorCode::limit,
                     .what = "the deflated records of the archive grow too large",
                     .file = zip_.path(),
                     .offset = entry.data_offset,
                     .expected = std::to_string(budget_) + " more bytes at most",
                     .found = std::to_string(entry.size),
                     .hint = "Unpack the archive and name the file that is meant"});
      }
      budget_ -= entry.size;
    }
    return zip_.read(entry, buffer);
  }

  /// The pickle of an entry; its text stays alive with the Checkpoint.
  Result<pickle::Pickle> read_pickle(const ZipEntry& entry) {
    auto buffer = std::make_shared<std::vector<std::uint8_t>>();
    SAMEBITS_TRY(const Bytes bytes, inflate(entry, *buffer));
    if (!buffer->empty()) out_.owned.push_back(buffer);
    check_sum(entry);
    return read_pickle_of(bytes, entry);
  }

  /// With what follows it.
  Result<pickle::Pickle> read_pickle_of(Bytes bytes, const ZipEntry& entry) {
    const std::uint64_t base = entry.method == 0 ? entry.data_offset : 0;
    pickle::Pickle pickle = pickle::read(bytes, zip_.path(), base);
    add_calls(out_, pickle, part_.file);
    if (pickle.error) return fail(*pickle.error);
    add_following_calls(out_, {.bytes = bytes,
                               .path = zip_.path(),
                               .base = base,
                               .position = pickle.end - base,
                               .file = part_.file});
    return pickle;
  }

  /// A damaged pickle can hold other names, or other numbers, and be read without complaint.
  void check_sum(const ZipEntry& entry) {
    if (out_.files[part_.file].container == "torch-zip" && ArchiveChecksums::has_none(entry))
      return;
    const Result<std::uint32_t> actual = zip_.actual_crc32(entry);
    if (!actual || *actual == entry.crc32) return;
    out_.oddities.push_back({.kind = Oddity::Kind::bad_checksum,
                             .summary = bad_checksum_text(entry.name, entry.crc32, *actual),
                             .file = part_.file,
                             .offset = entry.data_offset});
  }

  Result<void> read_pickles() {
    is_script_ = std::any_of(zip_.entries().begin(), zip_.entries().end(), [&](const ZipEntry& e) {
      return e.name.starts_with(prefix_ + "code/");
    });
    SAMEBITS_TRY(const pickle::Pickle data, read_pickle(*zip_.find(prefix_ + "data.pkl")));
    find_pickle_refusals(out_, data, part_.file);
    note_trailing(data, *zip_.find(prefix_ + "data.pkl"));
    const TorchObject object{data.tree, data.root, storages_, part_.file, part_.prefix};
    list_other_pickles();
    if (part_.calls_only) return list_constants();
    if (!part_.main) {
      read_companion_object(out_, object, part_);
      return {};
    }
    return is_script_ ? read_script(object) : read_main_object(out_, object, part_.key);
  }

  Result<void> read_script(const TorchObject& object) {
    out_.kind = CheckpointKind::torchscript;
    ScriptCode code([&](const std::string& name) -> std::optional<std::string> {
      const ZipEntry* entry = zip_.find(prefix_ + "code/" + name);
      if (entry == nullptr) return std::nullopt;
      std::vector<std::uint8_t> buffer;
      const Result<Bytes> bytes = inflate(*entry, buffer);
      if (bytes) return std::string(as_text(*bytes));
      out_.unread.push_back(bytes.error());
      return std::nullopt;
    });
    read_script_module(out_, object, code);
    if (const ZipEntry* constants = zip_.find(prefix_ + "constants.pkl"))
      read_constants(*constants);
    read_program(object, code);
    note_extra_files();
    return choose_weights(out_, part_.key);
  }

  void read_program(const TorchObject& object, ScriptCode& code) {
    const bool frozen = std::ranges::any_of(
        out_.candidates, [](const Candidate& c) { return c.key == "constants"; });
    const bool traced = zip_.find(prefix_ + "traced_inputs.pkl") != nullptr;
    out_.program = read_script_program(code, class_of(object.tree, object.root), out_.entries);
    out_.program->way = frozen ? "frozen" : traced ? "traced" : "scripted";
    out_.program->version = small_text("version").value_or("");
  }

  /// What torch.jit.save() was given as _extra_files: torch.jit.load() hands them to who asks.
  void note_extra_files() {
    constexpr std::size_t kLongestText = 60;
    std::vector<std::string> names;
    const std::string folder = prefix_ + "extra/";
    for (const ZipEntry& entry : zip_.entries()) {
      if (!entry.name.starts_with(folder) || entry.name.ends_with('/')) continue;
      std::vector<std::uint8_t> buffer;
      const Result<Bytes> bytes = inflate(entry, buffer);
      if (!bytes) {
        out_.unread.push_back(bytes.error());
        continue;
      }
      check_sum(entry);
      names.push_back(entry.name.substr(folder.size()));
      const std::string_view text = as_text(*bytes);
      const bool is_short = text.size() <= kLongestText && is_printable(text);
      out_.values.push_back({.path = "extra/" + names.back(),
                             .loaded = false,
                             .text = is_short ? std::string(text) : "",
                             .digest = sha256_hex(*bytes)});
    }
    if (names.empty()) return;
    out_.oddities.push_back(
        {.kind = Oddity::Kind::other,
         .summary = fmt::format(
             "{} beside the code, which torch.jit.load hands over as "
             "_extra_files: {}",
             names.size() == 1 ? "a file lies" : fmt::format("{} files lie", names.size()),
             fmt::join(names, ", ")),
         .file = part_.file});
  }

  static bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  }

  /// Pickles that torch.load() would not touch, and whoever unpacks the archive might. Another
  /// name than .pkl hides none: what begins with PROTO is read, too.
  void list_other_pickles() {
    for (const ZipEntry& entry : zip_.entries()) {
      const bool by_name = entry.name.ends_with(".pkl") || entry.name.ends_with(".pickle");
      const bool read = entry.name == prefix_ + "data.pkl" ||
                        (is_script_ && entry.name == prefix_ + "constants.pkl");
      if (read || entry.name.ends_with('/') || (is_storage(entry) && !by_name)) continue;
      if (Result<void> listed = list_pickle(entry, by_name); !listed)
        out_.unread.push_back(std::move(listed).error());
    }
  }

  Result<void> list_pickle(const ZipEntry& entry, bool by_name) {
    auto buffer = std::make_shared<std::vector<std::uint8_t>>();
    const Result<Bytes> bytes = inflate(entry, *buffer);
    // torch.jit.load reads all of the code, the tables of lines beside it included.
    const bool is_code = is_script_ && entry.name.starts_with(prefix_ + "code/");
    if (!bytes) return by_name || is_code ? Result<void>(fail(bytes.error())) : Result<void>();
    const bool begins = !bytes->empty() && (*bytes)[0] == 0x80 && pickle::looks_like(*bytes);
    const bool is_pickle = by_name || begins;
    if (is_code || is_pickle) check_sum(entry);
    if (is_pickle) SAMEBITS_TRY_VOID(read_pickle_of(*bytes, entry));
    return {};
  }

  Result<void> list_constants() {
    const ZipEntry* constants = is_script_ ? zip_.find(prefix_ + "constants.pkl") : nullptr;
    return constants == nullptr ? Result<void>() : list_pickle(*constants, true);
  }

  /// TorchScript's constants. Their storages are named "constants/N" in the archive and N in the
  /// pickle.
  void read_constants(const ZipEntry& entry) {
    const Result<pickle::Pickle> constants = read_pickle(entry);
    if (!constants) return out_.unread.push_back(constants.error());
    StorageTable table;
    for (const auto& [key, record] : storages_.by_key) {
      if (key.starts_with("constants/")) table.by_key.emplace(key.substr(10), record);
    }
    read_script_constants(out_, {constants->tree, constants->root, table, part_.file, ""});
  }

  void note_trailing(const pickle::Pickle& pickle, const ZipEntry& entry) {
    if (entry.method != 0 || pickle.end >= entry.data_offset + entry.size) return;
    out_.oddities.push_back({.kind = Oddity::Kind::trailing,
                             .summary = "bytes follow the end of the pickle in " + entry.name,
                             .file = part_.file,
                             .offset = pickle.end});
  }

  /// A zip that torch did not write: .npz, or an archive of pickles.
  Result<void> read_other() {
    if (part_.main && is_exported_program(zip_)) return read_exported_program(out_, part_, zip_);
    out_.files[part_.file].container = "zip";
    out_.kind = CheckpointKind::pickle;
    std::size_t pickles = 0;
    const std::vector<bool> chosen = numpys_choices(zip_);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const ZipEntry& entry = zip_.entries()[i];
      use_bytes(out_, part_.file, entry.data_offset, entry.data_offset + entry.compressed_size,
                ByteUse::structure);
      if (entry.name.ends_with('/') || !chosen[i]) continue;
      Result<void> read = read_member(entry, pickles);
      if (!read) out_.unread.push_back(std::move(read).error());
    }
    find_doubled_records(out_, zip_, part_.file);
    if (out_.files[part_.file].container == "npz")
      find_npz_refusals(out_, zip_, part_.file);
    else if (has_torchs_records())
      find_zip_refusals(out_, zip_, "", part_.file);
    if (!out_.entries.empty()) return choose_numpy(out_);
    const bool foreign = find_foreign_zip(zip_) || holds_archives_;
    if (!foreign && (pickles > 0 || !out_.unread.empty())) return choose_numpy(out_);
    out_.unread.clear();  // its members are no parts of a checkpoint
    return fail(foreign_error(foreign_zip(zip_), zip_.path()));
  }

  /// What only torch writes, in an archive whose data.pkl is not found.
  bool has_torchs_records() const {
    return std::ranges::any_of(zip_.entries(), [](const ZipEntry& entry) {
      return entry.name.ends_with("/byteorder") || entry.name.ends_with("/version") ||
             entry.name.ends_with("/data/0");
    });
  }

  Result<void> read_member(const ZipEntry& entry, std::size_t& pickles) {
    auto buffer = std::make_shared<std::vector<std::uint8_t>>();
    SAMEBITS_TRY(const Bytes bytes, inflate(entry, *buffer));
    if (!buffer->empty()) out_.owned.push_back(buffer);
    const std::uint64_t base = entry.method == 0 ? entry.data_offset : 0;
    if (looks_like_npy(bytes)) {
      out_.files[part_.file].container = "npz";
      std::string name = entry.name;
      if (name.ends_with(".npy")) name.resize(name.size() - 4);
      return add_npy(out_, {.file = part_.file,
                            .bytes = bytes,
                            .base = base,
                            .in_file = entry.method == 0,
                            .name = name});
    }
    const bool is_archive = as_text(bytes).starts_with("PK\3\4");
    const bool is_weights = SafetensorsFile::looks_like(bytes);
    holds_archives_ =
        holds_archives_ || is_archive || is_weights || entry.name.ends_with("/data.pkl");
    if (is_archive || is_weights || !pickle::looks_like(bytes)) return {};
    // A picture may look like a pickle; what breaks and names nothing is one only by its name.
    const std::size_t named = out_.imports.size();
    const Result<pickle::Pickle> read = read_pickle_of(bytes, entry);
    const Bytes head = bytes.first(std::min<std::size_t>(bytes.size(), 4096));
    if (!read && out_.imports.size() == named && bytes[0] != 0x80 && find_foreign(head)) return {};
    ++pickles;
    if (!read) return fail(read.error());
    return {};
  }

  Checkpoint& out_;
  const FilePart& part_;
  ZipArchive zip_;
  std::string prefix_;
  StorageTable storages_;
  bool is_script_ = false;
  bool holds_archives_ = false;
  std::uint64_t budget_ = 0;  // bytes to which deflated records may still grow
};

}  // namespace

Result<void> read_torch_zip(Checkpoint& checkpoint, const FilePart& part) {
  const SourceFile& file = checkpoint.files[part.file];
  SAMEBITS_TRY(ZipArchive zip, ZipArchive::open(file.map->bytes(), file.path));
  return ZipReader(checkpoint, part, std::move(zip)).read();
}

std::uint32_t next_storage_id(const Checkpoint& checkpoint) {
  Checkpoint::StorageCount& count = checkpoint.storage_count;
  if (count.entries > checkpoint.entries.size()) count = {};
  for (; count.entries < checkpoint.entries.size(); ++count.entries)
    count.next = std::max(count.next, checkpoint.entries[count.entries].storage + 1);
  return count.next;
}

}  // namespace samebits
