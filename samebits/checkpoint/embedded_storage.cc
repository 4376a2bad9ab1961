#include "samebits/checkpoint/embedded_storage.h"

#include "samebits/base/bytes.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::Pickle;
using pickle::Tree;

class EmbeddedReader {
 public:
  EmbeddedReader(Bytes stream, const std::string& file, std::uint64_t base)
      : stream_(stream), file_(file), base_(base) {}

  Result<EmbeddedStorage> read() {
    if (!is_torch_legacy(stream_)) return fail(other("no stream of torch.save"));
    SAMEBITS_TRY_VOID(skip());
    SAMEBITS_TRY(const Pickle version, next());
    if (as_integer(version.tree, version.root) != 1001)
      return fail(other("a stream of an unknown version"));
    SAMEBITS_TRY_VOID(skip());
    SAMEBITS_TRY(const Pickle object, next());
    SAMEBITS_TRY(const Pickle keys, next());
    const auto id = read_storage_id(object.tree, object.root);
    const auto listed = elements(keys.tree, keys.root);
    if (!id || id->view || listed.size() != 1 || key_of_id(keys.tree, listed[0]) != id->key)
      return fail(other("something else than one storage"));
    return elements_of(*id);
  }

 private:
  Result<void> skip() {
    SAMEBITS_TRY(const Pickle unused, next());
    return {};
  }

  Result<Pickle> next() {
    Pickle pickle = pickle::read(stream_.subspan(position_), file_, base_ + position_);
    if (pickle.error) return fail(*pickle.error);
    if (!pickle.calls.empty()) return fail(other("a pickle that calls something"));
    position_ = pickle.end - base_;
    return pickle;
  }

  /// int64 numel, then the elements, and nothing after them.
  Result<EmbeddedStorage> elements_of(StorageId id) {
    ByteReader reader(stream_, file_);
    SAMEBITS_TRY_VOID(reader.seek(position_));
    SAMEBITS_TRY(const std::uint64_t numel, reader.u64("the size of a storage"));
    std::uint64_t nbytes = 0;
    if (!checked_mul(numel, itemsize(id.dtype), &nbytes))
      return fail(other("a storage whose size overflows"));
    SAMEBITS_TRY(const Bytes bytes, reader.take(nbytes, "a storage"));
    if (reader.position() != stream_.size()) return fail(other("bytes after a storage"));
    return EmbeddedStorage{std::move(id), bytes};
  }

  Error other(const std::string& what) const {
    return {.code = ErrorCode::unsupported,
            .what = "the bytes for torch.storage._load_from_bytes hold " + what,
            .file = file_,
            .offset = base_ + position_,
            .expected = "one storage, as pickle.dump() of a tensor writes it"};
  }

  Bytes stream_;
  const std::string& file_;
  std::uint64_t base_;
  std::uint64_t position_ = 0;
};

}  // namespace

std::optional<NodeId> embedded_argument(const Tree& tree, NodeId node) {
  if (tree.kind(node) != Kind::object ||
      !tree.is_global(tree.callable(node), "torch.storage", "_load_from_bytes"))
    return std::nullopt;
  const auto args = elements(tree, tree.args(node));
  const bool alone = args.size() == 1 && tree.states(node).empty() && tree.items(node).empty() &&
                     tree.pairs(node).empty();
  return alone ? std::optional(args[0]) : std::nullopt;
}

Result<EmbeddedStorage> read_embedded_storage(Bytes stream, const std::string& file,
                                              std::uint64_t base) {
  return EmbeddedReader(stream, file, base).read();
}

}  // namespace samebits
