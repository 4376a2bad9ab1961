#include <map>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/torch_refusals.h"
#include "samebits/checkpoint/torch_tensor.h"
#include "samebits/container/tar.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::Pickle;

struct NamedStorage {
  DType dtype = DType::float32;
  StorageRecord record;
};

/// One member: pickles and raw numbers, one after the other.
class MemberReader {
 public:
  MemberReader(Checkpoint& checkpoint, std::uint32_t file, Bytes bytes, std::uint64_t base)
      : out_(checkpoint),
        file_(file),
        path_(checkpoint.files[file].path),
        bytes_(bytes),
        base_(base) {}

  Result<Pickle> pickle(const char* what) {
    if (position_ >= bytes_.size()) return fail(ended(what));
    Pickle pickle = pickle::read(bytes_.subspan(position_), path_, base_ + position_);
    add_calls(out_, pickle, file_);
    if (pickle.error) return fail(*pickle.error);
    find_pickle_refusals(out_, pickle, file_);
    position_ = pickle.end - base_;
    return pickle;
  }
  Result<std::uint64_t> count(const char* what) {
    SAMEBITS_TRY(const Pickle number, pickle(what));
    const auto value = as_integer(number.tree, number.root);
    if (value && *value >= 0) return static_cast<std::uint64_t>(*value);
    return fail({.code = ErrorCode::malformed,
                 .what = std::string(what) + " is no count",
                 .file = path_,
                 .offset = number.begin});
  }
  Result<Bytes> raw(std::uint64_t size, const std::string& what) {
    ByteReader reader(bytes_, path_, base_);
    SAMEBITS_TRY_VOID(reader.seek(position_));
    SAMEBITS_TRY(const Bytes taken, reader.take(size, what));
    position_ += size;
    return taken;
  }
  std::uint64_t offset() const { return base_ + position_; }
  const std::string& path() const { return path_; }
  Error ended(const char* what) const {
    return {.code = ErrorCode::truncated,
            .what = std::string("the archive ends before ") + what,
            .file = path_,
            .offset = offset(),
            .hint =
                "torch itself cannot read it either; load it with the program that wrote it and "
                "save it again"};
  }

 private:
  Checkpoint& out_;
  std::uint32_t file_;
  std::string path_;
  Bytes bytes_;
  std::uint64_t base_;
  std::uint64_t position_ = 0;
};

class TarReader {
 public:
  TarReader(Checkpoint& checkpoint, const FilePart& part, TarArchive tar)
      : out_(checkpoint),
        part_(part),
        path_(checkpoint.files[part.file].path),
        bytes_(checkpoint.files[part.file].map->bytes()),
        tar_(std::move(tar)) {}

  Result<void> read() {
    out_.files[part_.file].container = "torch-tar";
    account();
    for (const char* name : {"storages", "tensors", "pickle"}) {
      if (tar_.find(name) == nullptr) {
        return fail({.code = ErrorCode::unsupported,
                     .what = std::string("a tar archive without the member ") + name,
                     .file = path_,
                     .expected = "storages, tensors and pickle, as torch wrote them in 2016",
                     .hint = "If it packs a checkpoint, unpack it and name the file inside"});
      }
    }
    SAMEBITS_TRY_VOID(read_storages());
    SAMEBITS_TRY_VOID(read_tensors());
    return read_object();
  }

 private:
  void account() {
    for (const TarMember& member : tar_.members) {
      use_bytes(out_, part_.file, member.header, member.offset, ByteUse::structure);
      if (member.name == "pickle" || member.name == "tensors" || member.name == "sys_info")
        use_bytes(out_, part_.file, member.offset, member.offset + member.size, ByteUse::structure);
    }
    for (const ContainerNote& note : tar_.notes) {
      out_.oddities.push_back({.kind = Oddity::Kind::container,
                               .summary = note.what,
                               .file = part_.file,
                               .offset = note.offset});
    }
    if (part_.main) out_.producer["torch_format"] = "tar of 2016";
  }

  MemberReader member(const char* name) {
    const TarMember* found = tar_.find(name);
    return {out_, part_.file, bytes_.subspan(found->offset, found->size), found->offset};
  }

  Result<void> read_storages() {
    MemberReader reader = member("storages");
    SAMEBITS_TRY(const std::uint64_t count, reader.count("the number of storages"));
    std::uint32_t id = next_storage_id(out_);
    for (std::uint64_t i = 0; i < count; ++i) SAMEBITS_TRY_VOID(read_storage(reader, id++));
    SAMEBITS_TRY(const Pickle views, reader.pickle("the list of storage views"));
    for (const NodeId view : elements(views.tree, views.root))
      SAMEBITS_TRY_VOID(add_view(views.tree, view, id++));
    return {};
  }

  /// (key, location, storage type), int64 numel, elements.
  Result<void> read_storage(MemberReader& reader, std::uint32_t id) {
    SAMEBITS_TRY(const Pickle header, reader.pickle("a storage"));
    const auto parts = elements(header.tree, header.root);
    const auto key = parts.size() == 3 ? key_of_id(header.tree, parts[0]) : std::nullopt;
    const auto dtype = key && header.tree.kind(parts[2]) == Kind::global
                           ? dtype_from_storage(header.tree.name(parts[2]))
                           : std::nullopt;
    if (!dtype)
      return fail(malformed("a storage's header is not (key, location, type)", header.begin));
    SAMEBITS_TRY(const Bytes size, reader.raw(8, "a storage's size"));
    std::uint64_t nbytes = 0;
    if (!checked_mul(load_u64le(size.data()), itemsize(*dtype), &nbytes))
      return fail(malformed("a storage's size overflows", reader.offset()));
    NamedStorage storage{*dtype, {.file = part_.file, .offset = reader.offset(), .id = id}};
    SAMEBITS_TRY(storage.record.bytes, reader.raw(nbytes, "storage " + *key));
    storages_.insert_or_assign(*key, std::move(storage));
    return {};
  }

  /// (key of the view, key of its root, offset, numel).
  Result<void> add_view(const pickle::Tree& tree, NodeId node, std::uint32_t id) {
    const auto parts = elements(tree, node);
    const auto key = parts.size() == 4 ? key_of_id(tree, parts[0]) : std::nullopt;
    const auto root = key ? key_of_id(tree, parts[1]) : std::nullopt;
    const std::int64_t offset = key ? as_integer(tree, parts[2]).value_or(-1) : -1;
    const std::int64_t numel = key ? as_integer(tree, parts[3]).value_or(-1) : -1;
    const auto found = root ? storages_.find(*root) : storages_.end();
    if (found == storages_.end() || offset < 0 || numel < 0) {
      return fail(malformed("a storage view is not (key, root, offset, numel)", tree.offset(node)));
    }
    NamedStorage view = found->second;
    const std::uint64_t available = view.record.bytes.size() / itemsize(view.dtype);
    const auto first = static_cast<std::uint64_t>(offset);
    const auto count = static_cast<std::uint64_t>(numel);
    if (first > available || count > available - first)
      return fail(malformed("a storage view reaches past its root", tree.offset(node)));
    view.record.bytes =
        view.record.bytes.subspan(first * itemsize(view.dtype), count * itemsize(view.dtype));
    view.record.offset += first * itemsize(view.dtype);
    view.record.id = id;
    storages_.insert_or_assign(*key, std::move(view));
    return {};
  }

  Result<void> read_tensors() {
    MemberReader reader = member("tensors");
    SAMEBITS_TRY(const std::uint64_t count, reader.count("the number of tensors"));
    for (std::uint64_t i = 0; i < count; ++i) SAMEBITS_TRY_VOID(read_tensor_record(reader));
    return {};
  }

  /// (key, storage key, type), int32 ndim, 4 bytes, int64 sizes, int64 strides, int64 offset.
  Result<void> read_tensor_record(MemberReader& reader) {
    SAMEBITS_TRY(const Pickle header, reader.pickle("a tensor"));
    const auto parts = elements(header.tree, header.root);
    const auto key = parts.size() == 3 ? key_of_id(header.tree, parts[0]) : std::nullopt;
    const auto storage_key = key ? key_of_id(header.tree, parts[1]) : std::nullopt;
    const auto storage = storage_key ? storages_.find(*storage_key) : storages_.end();
    if (storage == storages_.end())
      return fail(malformed("a tensor's storage is not in the archive", header.begin));
    SAMEBITS_TRY(const Bytes ndim_bytes, reader.raw(8, "a tensor's dimensions"));
    const std::uint32_t ndim = load_u32le(ndim_bytes.data());
    if (ndim > kLimits.dimensions)
      return fail(malformed("a tensor has " + std::to_string(ndim) + " dimensions", header.begin));
    SAMEBITS_TRY(const Bytes numbers, reader.raw(16ull * ndim + 8, "a tensor's sizes and strides"));
    Shape shape(ndim);
    Strides strides(ndim);
    for (std::uint32_t d = 0; d < ndim; ++d) {
      shape[d] = static_cast<std::int64_t>(load_u64le(numbers.data() + 8ull * d));
      strides[d] = static_cast<std::int64_t>(load_u64le(numbers.data() + 8ull * (ndim + d)));
    }
    const std::uint64_t offset = load_u64le(numbers.data() + 16ull * ndim);
    Result<TensorView> view =
        TensorView::make(storage->second.dtype, std::move(shape), std::move(strides), offset,
                         storage->second.record.bytes);
    if (!view) {
      Error error = std::move(view).error();
      error.file = path_;
      error.offset = header.begin;
      return fail(std::move(error));
    }
    table_.tensors.insert_or_assign(*key,
                                    ContainerTensor{std::move(*view), storage->second.record});
    return {};
  }

  Result<void> read_object() {
    MemberReader reader = member("pickle");
    SAMEBITS_TRY(const Pickle object, reader.pickle("the object"));
    const TorchObject torch{object.tree, object.root, table_, part_.file, part_.prefix};
    if (part_.main) return read_main_object(out_, torch, part_.key);
    read_companion_object(out_, torch, part_);
    return {};
  }

  Error malformed(std::string what, std::uint64_t offset) const {
    return {.code = ErrorCode::malformed, .what = std::move(what), .file = path_, .offset = offset};
  }

  Checkpoint& out_;
  const FilePart& part_;
  std::string path_;
  Bytes bytes_;
  TarArchive tar_;
  std::map<std::string, NamedStorage> storages_;
  StorageTable table_;  // tensors by id; the storages are known by now
};

}  // namespace

Result<void> read_torch_tar(Checkpoint& checkpoint, const FilePart& part) {
  const SourceFile& file = checkpoint.files[part.file];
  SAMEBITS_TRY(TarArchive tar, TarArchive::open(file.map->bytes(), file.path));
  return TarReader(checkpoint, part, std::move(tar)).read();
}

}  // namespace samebits
