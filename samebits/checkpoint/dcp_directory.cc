#include "samebits/checkpoint/dcp_directory.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/dcp_metadata.h"
#include "samebits/checkpoint/dcp_shards.h"
#include "samebits/checkpoint/dcp_tree.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/tensor_pieces.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/torch_tensor.h"
#include "samebits/checkpoint/tree_digest.h"
#include "samebits/container/zip.h"

namespace samebits {
namespace {

/// One item of a .distcp file: an archive of torch.save.
struct DcpItem {
  pickle::Pickle pickle;
  StorageTable storages;
};

class DcpReader {
 public:
  DcpReader(Checkpoint& checkpoint, std::string directory)
      : out_(checkpoint),
        directory_(std::move(directory)),
        next_storage_(next_storage_id(checkpoint)) {}

  Result<void> read(const std::string& key) {
    out_.kind = CheckpointKind::training_checkpoint;
    SAMEBITS_TRY_VOID(read_items());
    add_dcp_candidates(out_);
    return choose_weights(out_, key);
  }

  Result<void> read_part(const FilePart& part) {
    part_ = &part;
    SAMEBITS_TRY_VOID(read_items());
    const auto [tree, root] = tree_.finish();
    const StorageTable storages;
    if (part.then) part.then(out_, {tree, root, storages, part.file, part.prefix});
    return {};
  }

 private:
  Result<void> read_items() {
    SAMEBITS_TRY(const std::uint32_t file, open_file(".metadata", "pickle"));
    const SourceFile& source = out_.files[file];
    const pickle::Pickle metadata = pickle::read(source.map->bytes(), source.path, 0);
    use_bytes(out_, file, metadata.begin, metadata.end, ByteUse::structure);
    add_calls(out_, metadata, file);
    if (metadata.error) return fail(*metadata.error);
    SAMEBITS_TRY(known_, read_dcp_metadata(metadata.tree, metadata.root, source.path));
    SAMEBITS_TRY_VOID(bound_pieces(known_));
    for (const DcpTensor& tensor : known_.tensors) add_tensor(tensor);
    for (std::size_t i = 0; i < known_.values.size(); ++i)
      add_value(known_.value_names[i], known_.values[i]);
    return {};
  }

  Result<std::uint32_t> open_file(const std::string& name, const std::string& container) {
    if (const auto known = opened_.find(name); known != opened_.end()) return known->second;
    SAMEBITS_TRY(auto map, MappedFile::open(directory_ + "/" + name));
    out_.files.push_back({directory_ + "/" + name, container, std::move(map)});
    return opened_[name] = static_cast<std::uint32_t>(out_.files.size() - 1);
  }

  /// Pieces that lie in one another cost the files nothing and their reader everything.
  Result<void> bound_pieces(const DcpMetadata& known) {
    std::uint64_t described = 0;
    const auto add = [&](const DcpPiece& piece) {
      if (!checked_add(described, piece.length, &described)) described = ~std::uint64_t{0};
      if (const auto file = open_file(piece.file, "torch-dcp"); !file) return;  // said later
    };
    for (const DcpTensor& tensor : known.tensors) std::ranges::for_each(tensor.pieces, add);
    std::ranges::for_each(known.values, add);
    for (const auto& [name, file] : opened_) file_bytes_ += out_.files[file].map->size();
    const std::uint64_t most = kLimits.described_bytes + kLimits.described_factor * file_bytes_;
    if (described <= most) return {};
    return fail({.code = ErrorCode::limit,
                 .what = "the pieces that the metadata names lie in one another again and again",
                 .file = directory_,
                 .expected = fmt::format("{} bytes at most", most),
                 .found = std::to_string(described)});
  }

  Error cannot(const std::string& name, std::string what) const {
    return {.code = ErrorCode::malformed,
            .what = name + ": " + std::move(what),
            .file = directory_,
            .hint = "Is the directory complete, as it was saved?"};
  }

  Result<Bytes> bytes_of(const std::string& name, const DcpPiece& piece, std::uint32_t* file) {
    SAMEBITS_TRY(*file, open_file(piece.file, "torch-dcp"));
    const Bytes all = out_.files[*file].map->bytes();
    if (piece.offset > all.size() || piece.length > all.size() - piece.offset)
      return fail({.code = ErrorCode::truncated,
                   .what = "the file ends before the piece of " + name,
                   .file = out_.files[*file].path,
                   .offset = piece.offset,
                   .expected = fmt::format("{} bytes", piece.length),
                   .found = fmt::format("a file of {} bytes", all.size())});
    return all.subspan(piece.offset, piece.length);
  }

  Result<DcpItem> open_item(const std::string& name, const DcpPiece& piece, std::uint32_t* file) {
    SAMEBITS_TRY(const Bytes bytes, bytes_of(name, piece, file));
    const std::string& path = out_.files[*file].path;
    SAMEBITS_TRY(const ZipArchive zip, ZipArchive::open(bytes, path));
    for (const auto& [begin, end] : zip.structure())
      use_bytes(out_, *file, piece.offset + begin, piece.offset + end, ByteUse::structure);
    DcpItem item;
    const ZipEntry* data = nullptr;
    for (const ZipEntry& entry : zip.entries()) {
      if (entry.name.ends_with("/data.pkl") && data == nullptr) data = &entry;
      const std::size_t folder = entry.name.find("/data/");
      if (folder == std::string::npos)
        use_bytes(out_, *file, piece.offset + entry.data_offset,
                  piece.offset + entry.data_offset + entry.compressed_size, ByteUse::structure);
      else
        SAMEBITS_TRY_VOID(add_storage(item, zip, entry, entry.name.substr(folder + 6),
                                      {.file = *file, .offset = piece.offset}));
    }
    if (data == nullptr) return fail(cannot(name, "its item is no archive of torch.save"));
    SAMEBITS_TRY(const Bytes text, zip.stored(*data));
    item.pickle = pickle::read(text, path, piece.offset + data->data_offset);
    add_calls(out_, item.pickle, *file);
    if (item.pickle.error) return fail(*item.pickle.error);
    return item;
  }

  Result<void> add_storage(DcpItem& item, const ZipArchive& zip, const ZipEntry& entry,
                           const std::string& key, StorageRecord record) {
    SAMEBITS_TRY(record.bytes, zip.stored(entry));
    record.offset += entry.data_offset;
    record.id = next_storage_++;
    item.storages.by_key.emplace(key, record);
    return {};
  }

  /// The one strided tensor of an item.
  Result<TensorPart> read_piece(const DcpTensor& tensor, const DcpPiece& piece,
                                std::uint32_t* file) {
    SAMEBITS_TRY(const DcpItem item, open_item(tensor.name, piece, file));
    if (!is_tensor(item.pickle.tree, item.pickle.root))
      return fail(cannot(tensor.name, "its item is no tensor"));
    SAMEBITS_TRY(TorchTensor read, read_tensor(item.pickle.tree, item.pickle.root, item.storages,
                                               out_.files[*file].path));
    if (read.parts.size() != 1 || read.parts[0].view.dtype() != tensor.dtype)
      return fail(cannot(tensor.name, "its item is another tensor than the metadata says"));
    read.parts[0].storage = nullptr;  // it ends with the item
    if (&piece == tensor.pieces.data()) add_to_tree(tensor.name, item.pickle);
    return std::move(read.parts[0]);
  }

  void add_to_tree(const std::string& name, const pickle::Pickle& item) {
    if (part_ == nullptr || tree_.add(known_.path_of(name), item.tree, item.root)) return;
    if (std::exchange(tree_is_full_, true)) return;
    out_.unread.push_back({.code = ErrorCode::limit,
                           .what = "the values that the metadata names are many or deep",
                           .file = directory_,
                           .hint = "From " + name + " on they were not looked at"});
  }

  std::string prefixed(const std::string& name) const {
    return part_ == nullptr ? name : part_->prefix + name;
  }

  void add_tensor(const DcpTensor& tensor) {
    StoredTensor stored;
    stored.path = prefixed(tensor.name);
    stored.role = dcp_role(tensor.name);
    stored.storage = next_storage_++;
    Result<void> read = tensor.pieces.size() == 1 && tensor.chunks <= 1
                            ? view_whole(tensor, &stored)
                            : put_together(tensor, &stored);
    if (!read) {
      out_.unread.push_back(std::move(read).error());
      if (auto view = TensorView::valueless(tensor.dtype, tensor.size)) stored.view = *view;
      stored.readable = false;
      stored.absent = true;
    }
    out_.entries.push_back(std::move(stored));
  }

  Result<void> view_whole(const DcpTensor& tensor, StoredTensor* stored) {
    SAMEBITS_TRY(TensorPart part, read_piece(tensor, tensor.pieces[0], &stored->file));
    if (part.view.shape() != tensor.size)
      return fail(cannot(tensor.name, "its item has another shape than the metadata says"));
    stored->offset = part.offset;
    stored->storage_bytes = part.view.nbytes();
    stored->device = part.device;
    stored->view = std::move(part.view);
    return {};
  }

  Result<void> put_together(const DcpTensor& tensor, StoredTensor* stored) {
    SAMEBITS_TRY(const std::uint64_t count, element_count(tensor.size));
    std::uint64_t bytes = 0;
    // Together they are no more than the files, whose bytes stand in one tensor each.
    if (!checked_mul(count, itemsize(tensor.dtype), &bytes) || bytes > file_bytes_ - assembled_)
      return fail(
          cannot(tensor.name, fmt::format("it has {} elements, more than the files hold", count)));
    assembled_ += bytes;
    SAMEBITS_TRY(TensorPieces pieces, TensorPieces::make(tensor.dtype, tensor.size));
    for (const DcpPiece& piece : tensor.pieces) {
      std::uint32_t file = 0;
      SAMEBITS_TRY(const TensorPart part, read_piece(tensor, piece, &file));
      if (&piece == tensor.pieces.data()) stored->file = file;
      if (!pieces.add(piece.offsets, part.view))
        return fail(cannot(tensor.name, "a piece lies outside of it"));
    }
    if (std::string fault = pieces.fault(); !fault.empty())
      return fail(cannot(tensor.name, std::move(fault)));
    SAMEBITS_TRY(TensorPieces::Whole whole, std::move(pieces).finish());
    out_.owned.push_back(std::move(whole.bytes));
    stored->storage_bytes = bytes;
    stored->view = std::move(whole.view);
    return {};
  }

  void add_value(const std::string& name, const DcpPiece& piece) {
    std::uint32_t file = 0;
    Result<DcpItem> item = open_item(name, piece, &file);
    if (!item) return out_.unread.push_back(std::move(item).error());
    if (part_ != nullptr) {
      add_to_tree(name, item->pickle);
      // A list of tensors, or a dict that was not flattened, is one item.
      const TorchObject object{item->pickle.tree, item->pickle.root, item->storages, file,
                               prefixed(name) + "."};
      return read_side_object(out_, object, part_->role);
    }
    const TreeDigest digest = digest_of_tree(item->pickle.tree, item->pickle.root);
    out_.values.push_back({.path = name,
                           .loaded = name.ends_with("_extra_state"),
                           .text = "",
                           .digest = digest.digest,
                           .complete = digest.complete});
    if (name.starts_with("optim") && !out_.training.optimizer)
      out_.training.optimizer = name.substr(0, name.find('.'));
  }

  Checkpoint& out_;
  std::string directory_;
  std::map<std::string, std::uint32_t> opened_;
  std::uint32_t next_storage_ = 0;
  DcpMetadata known_;
  const FilePart* part_ = nullptr;  // where the directory is a companion
  DcpTree tree_;
  bool tree_is_full_ = false;
  std::uint64_t file_bytes_ = 0, assembled_ = 0;
};

}  // namespace

bool is_dcp_directory(const std::string& directory) {
  const auto holds = [&](const char* name) {
    std::error_code error;
    return std::filesystem::is_regular_file(directory + "/" + name, error);
  };
  constexpr auto kOtherWeights =
      std::to_array<const char*>({"model.safetensors", "model.safetensors.index.json",
                                  "pytorch_model.bin", "pytorch_model.bin.index.json"});
  return holds(".metadata") && std::ranges::none_of(kOtherWeights, holds);
}

Result<void> read_dcp_part(Checkpoint& checkpoint, const std::string& directory,
                           const FilePart& part) {
  return DcpReader(checkpoint, directory).read_part(part);
}

Result<void> read_dcp_directory(Checkpoint& checkpoint, const std::string& directory,
                                const std::string& key) {
  return DcpReader(checkpoint, directory).read(key);
}

}  // namespace samebits
