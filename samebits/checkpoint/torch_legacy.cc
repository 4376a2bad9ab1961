#include <array>
#include <map>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/embedded_storage.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/pickled_bytes.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/torch_refusals.h"
#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::Pickle;

// 0x1950a86a20f9469cfc6c as a little-endian LONG1 of ten bytes.
constexpr std::array<std::uint8_t, 12> kMagicLong = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                                     0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

// What the system information says of the order of bytes is of the machine, not of the file: torch
// writes and reads storages with the lowest byte first everywhere, and does not look at it.

/// The typed storages that an object names: their keys, and the size of their elements, which the
/// raw part of the file does not say.
Result<std::map<std::string, StorageId>> storages_of(const pickle::Tree& tree,
                                                     const std::string& file) {
  std::map<std::string, StorageId> storages;
  for (NodeId node = 0; node < tree.size(); ++node) {
    if (tree.kind(node) != Kind::persistent) continue;
    const auto id = read_storage_id(tree, node);
    if (!id) continue;
    const auto [known, is_new] = storages.emplace(id->key, *id);
    if (!is_new && itemsize(known->second.dtype) != itemsize(id->dtype)) {
      return fail({.code = ErrorCode::inconsistent,
                   .what = "storage " + id->key + " is named with two element types",
                   .file = file,
                   .offset = tree.offset(node),
                   .expected = std::string(info(known->second.dtype).torch),
                   .found = std::string(info(id->dtype).torch)});
    }
  }
  return storages;
}

class LegacyReader {
 public:
  LegacyReader(Checkpoint& checkpoint, const FilePart& part)
      : out_(checkpoint),
        part_(part),
        path_(checkpoint.files[part.file].path),
        bytes_(checkpoint.files[part.file].map->bytes()) {}

  Result<void> read() {
    out_.files[part_.file].container = "torch-legacy";
    SAMEBITS_TRY(const Pickle magic, next("the magic number"));
    SAMEBITS_TRY(const Pickle protocol, next("the protocol version"));
    SAMEBITS_TRY_VOID(check_protocol(protocol));
    SAMEBITS_TRY(const Pickle system, next("the system information"));
    if (part_.main) out_.producer["torch_format"] = "legacy stream, version 1001";
    SAMEBITS_TRY(const Pickle object, next("the object"));
    SAMEBITS_TRY(const Pickle keys, next("the list of storages"));
    use_bytes(out_, part_.file, 0, position_, ByteUse::structure);
    if (part_.calls_only) return {};
    SAMEBITS_TRY_VOID(read_storages(object, keys));
    return finish(object);
  }

 private:
  Result<Pickle> next(const char* what) {
    if (position_ >= bytes_.size()) {
      return fail({.code = ErrorCode::truncated,
                   .what = std::string("the file ends before ") + what,
                   .file = path_,
                   .offset = position_,
                   .hint = "It was not written to its end; copy or save it again"});
    }
    Pickle pickle = pickle::read(bytes_.subspan(position_), path_, position_);
    add_calls(out_, pickle, part_.file);
    if (pickle.error) return fail(*pickle.error);
    find_pickle_refusals(out_, pickle, part_.file);
    position_ = pickle.end;
    return pickle;
  }

  Result<void> check_protocol(const Pickle& pickle) {
    const auto version = as_integer(pickle.tree, pickle.root);
    if (version == 1001) return {};
    return fail({.code = ErrorCode::unsupported,
                 .what = "an unknown version of torch's legacy stream",
                 .file = path_,
                 .offset = pickle.begin,
                 .expected = "1001",
                 .found = version ? std::to_string(*version) : "no number"});
  }

  Result<void> read_storages(const Pickle& object, const Pickle& keys) {
    if (keys.tree.kind(keys.root) != Kind::list) {
      return fail({.code = ErrorCode::malformed,
                   .what = "the list of storages is no list",
                   .file = path_,
                   .offset = keys.begin});
    }
    SAMEBITS_TRY(const auto named, storages_of(object.tree, path_));
    std::uint32_t id = next_storage_id(out_);
    for (const NodeId node : keys.tree.items(keys.root)) {
      const std::string key = key_of_id(keys.tree, node).value_or("?");
      const auto known = named.find(key);
      if (known == named.end()) {
        return fail({.code = ErrorCode::inconsistent,
                     .what = "the file lists storage " + key + ", which its object does not name",
                     .file = path_,
                     .offset = keys.tree.offset(node)});
      }
      SAMEBITS_TRY_VOID(read_storage(key, known->second, id++));
    }
    return {};
  }

  /// int64 numel, then the elements.
  Result<void> read_storage(const std::string& key, const StorageId& named, std::uint32_t id) {
    ByteReader reader(bytes_, path_);
    SAMEBITS_TRY_VOID(reader.seek(position_));
    SAMEBITS_TRY(const std::uint64_t numel, reader.u64("the size of storage " + key));
    std::uint64_t nbytes = 0;
    if (!checked_mul(numel, itemsize(named.dtype), &nbytes)) {
      return fail({.code = ErrorCode::malformed,
                   .what = "the size of storage " + key + " overflows",
                   .file = path_,
                   .offset = position_,
                   .found = std::to_string(numel)});
    }
    StorageRecord record{.file = part_.file, .offset = reader.offset(), .id = id};
    SAMEBITS_TRY(record.bytes, reader.take(nbytes, "storage " + key));
    use_bytes(out_, part_.file, position_, position_ + 8, ByteUse::structure);
    position_ = reader.position();
    storages_.by_key.emplace(key, std::move(record));
    return {};
  }

  Result<void> finish(const Pickle& object) {
    if (position_ < bytes_.size()) {
      out_.oddities.push_back(
          {.kind = Oddity::Kind::trailing,
           .summary = std::to_string(bytes_.size() - position_) + " bytes follow the last storage",
           .file = part_.file,
           .offset = position_});
      add_following_calls(
          out_, {.bytes = bytes_, .path = path_, .position = position_, .file = part_.file});
    }
    const TorchObject torch{object.tree, object.root, storages_, part_.file, part_.prefix};
    if (part_.main) return read_main_object(out_, torch, part_.key);
    read_companion_object(out_, torch, part_);
    return {};
  }

  Checkpoint& out_;
  const FilePart& part_;
  std::string path_;
  Bytes bytes_;
  std::uint64_t position_ = 0;
  StorageTable storages_;
};

/// The storages that pickle.dump() wrote, each a stream of its own. What is none is left out: its
/// tensor says so, and the list of calls.
StorageTable embedded_storages(Checkpoint& checkpoint, const Pickle& pickle, std::uint32_t file) {
  const SourceFile source = checkpoint.files[file];
  StorageTable table;
  std::uint32_t id = next_storage_id(checkpoint);
  for (const pickle::Call& call : pickle.calls) {
    const auto argument = embedded_argument(pickle.tree, call.target);
    if (!argument || table.by_node.contains(call.target)) continue;
    const std::string key = "bytes of node " + std::to_string(*argument);
    auto known = table.by_key.find(key);
    const auto stream = pickled_bytes(pickle.tree, *argument, source.map->bytes());
    if (!stream) continue;
    const std::uint64_t base =
        stream->owned ? call.offset : stream->bytes.data() - source.map->bytes().data();
    auto storage = read_embedded_storage(stream->bytes, source.path, base);
    if (!storage) {
      checkpoint.unread.push_back(std::move(storage).error());
      continue;
    }
    if (known == table.by_key.end()) {
      const std::uint64_t before = storage->elements.data() - stream->bytes.data();
      if (stream->owned) checkpoint.owned.push_back(stream->owned);
      table.by_key.emplace(key, StorageRecord{.bytes = storage->elements,
                                              .file = file,
                                              .offset = stream->owned ? base : base + before,
                                              .id = id++,
                                              .inflated = stream->owned != nullptr});
    }
    storage->id.key = key;
    table.by_node.emplace(call.target, std::move(storage->id));
  }
  return table;
}

bool has_protocol_second(Bytes bytes, const std::string& file) {
  const Pickle magic = pickle::read(bytes, file, 0);
  if (magic.error || magic.end >= bytes.size()) return false;
  const Pickle protocol = pickle::read(bytes.subspan(magic.end), file, magic.end);
  return !protocol.error && as_integer(protocol.tree, protocol.root) == 1001;
}

}  // namespace

bool is_torch_legacy(Bytes bytes) {
  // PROTO n, LONG1 10 bytes; protocol 0 and 1 write the number as text.
  constexpr std::string_view kText = "L119547037146038801333356L\n";
  constexpr std::size_t kFrame = 9;  // FRAME and its size, from protocol 4 on
  std::size_t start = bytes.size() > 2 && bytes[0] == 0x80 ? 2 : 0;
  if (start == 2 && bytes[2] == 0x95) start += kFrame;
  const Bytes rest = bytes.subspan(std::min(start, bytes.size()));
  const bool as_long = rest.size() >= kMagicLong.size() &&
                       std::equal(kMagicLong.begin(), kMagicLong.end(), rest.begin());
  return as_long || as_text(rest).starts_with(kText);
}

std::optional<Error> damaged_legacy(Bytes bytes, const std::string& file) {
  constexpr std::size_t kHead = 512;  // holds magic number, version and system information
  const std::string_view head = as_text(bytes.first(std::min(bytes.size(), kHead)));
  const auto says = [&](std::string_view key) { return head.find(key) != std::string_view::npos; };
  if (says("_load_from_bytes")) return std::nullopt;  // streams inside a pickle
  const bool system = says("protocol_version") && says("little_endian") && says("type_sizes");
  if (!system && !has_protocol_second(bytes, file)) return std::nullopt;
  return Error{.code = ErrorCode::malformed,
               .what = "the magic number of a torch file is damaged, and torch.load refuses it",
               .file = file,
               .offset = 0,
               .expected = "0x1950a86a20f9469cfc6c, then 1001",
               .hint = "Get the file again from its source, or from an earlier save"};
}

Result<void> read_torch_legacy(Checkpoint& checkpoint, const FilePart& part) {
  return LegacyReader(checkpoint, part).read();
}

Result<void> read_bare_pickle(Checkpoint& checkpoint, const FilePart& part) {
  const SourceFile source = checkpoint.files[part.file];
  const Bytes bytes = source.map->bytes();
  checkpoint.files[part.file].container = "pickle";
  const Pickle first = pickle::read(bytes, source.path, 0);
  add_calls(checkpoint, first, part.file);
  use_bytes(checkpoint, part.file, 0, first.end, ByteUse::structure);
  checkpoint.kind = CheckpointKind::pickle;
  if (!first.error) {
    const std::uint64_t end = add_following_calls(
        checkpoint,
        {.bytes = bytes, .path = source.path, .position = first.end, .file = part.file});
    use_bytes(checkpoint, part.file, first.end, end, ByteUse::structure);
  }
  if (first.error) return fail(*first.error);
  if (part.calls_only) return {};
  const StorageTable storages = embedded_storages(checkpoint, first, part.file);
  const TorchObject object{first.tree, first.root, storages, part.file, part.prefix};
  if (part.main) return read_main_object(checkpoint, object, part.key);
  read_companion_object(checkpoint, object, part);
  return {};
}

}  // namespace samebits
