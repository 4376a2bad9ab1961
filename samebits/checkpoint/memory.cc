#include "samebits/checkpoint/memory.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/field_faults.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/container/pickle.h"

namespace samebits {
namespace {

Result<TensorView> memory_view(const MemoryTensor& tensor) {
  if (!tensor.has_values) return TensorView::valueless(tensor.dtype, tensor.shape);
  SAMEBITS_TRY(TensorView view, TensorView::make(tensor.dtype, tensor.shape, tensor.strides,
                                                 tensor.offset, tensor.storage));
  if (!tensor.conjugated && !tensor.negated) return view;
  return view.with_signs(tensor.conjugated, tensor.negated);
}

Result<StoredTensor> memory_entry(const MemoryTensor& tensor) {
  Result<TensorView> view = memory_view(tensor);
  if (!view) {
    Error error = std::move(view).error();
    error.what = tensor.name + ": " + error.what;
    return fail(std::move(error));
  }
  StoredTensor entry;
  entry.path = tensor.name;
  entry.view = *std::move(view);
  entry.role = tensor.transient ? TensorRole::transient : TensorRole::weight;
  entry.readable = tensor.has_values;
  entry.storage_bytes = tensor.storage.size();
  return entry;
}

Checkpoint memory_checkpoint(const std::string& name) {
  Checkpoint checkpoint;
  checkpoint.path = name;
  checkpoint.files.push_back({.path = name, .container = "memory", .map = nullptr});
  return checkpoint;
}

Result<Checkpoint> checkpoint_now(const std::string& name,
                                  const std::vector<MemoryTensor>& tensors) {
  Checkpoint checkpoint = memory_checkpoint(name);
  checkpoint.kind = CheckpointKind::state_dict;
  std::map<const std::uint8_t*, std::uint32_t> storages;
  std::uint32_t next = 0;
  Candidate all;
  for (const MemoryTensor& tensor : tensors) {
    Result<StoredTensor> entry = memory_entry(tensor);
    if (!entry) {
      Error error = std::move(entry).error();
      error.file = name;
      return fail(std::move(error));
    }
    const std::uint8_t* bytes = tensor.storage.data();
    // Tensors without bytes have no address, and share nothing.
    const auto [place, is_new] = storages.emplace(bytes, next);
    entry->storage = bytes == nullptr || is_new ? next++ : place->second;
    (tensor.transient ? all.buffers : all.weights)
        .push_back(static_cast<std::uint32_t>(checkpoint.entries.size()));
    checkpoint.entries.push_back(*std::move(entry));
  }
  checkpoint.candidates.push_back(std::move(all));
  SAMEBITS_TRY_VOID(choose_weights(checkpoint, ""));
  return checkpoint;
}

Result<Checkpoint> unpickled(const std::string& name, std::vector<std::uint8_t> bytes,
                             const std::vector<MemoryStorage>& storages) {
  Checkpoint checkpoint = memory_checkpoint(name);
  checkpoint.owned.push_back(std::make_shared<std::vector<std::uint8_t>>(std::move(bytes)));
  const Bytes text(*checkpoint.owned.front());
  const pickle::Pickle read = pickle::read(text, name, 0);
  if (read.error) return fail(*read.error);
  StorageTable table;
  for (const MemoryStorage& storage : storages) {
    const auto id = static_cast<std::uint32_t>(table.by_key.size());
    table.by_key.emplace(storage.key, StorageRecord{.bytes = storage.bytes, .id = id});
  }
  SAMEBITS_TRY_VOID(
      read_main_object(checkpoint, {read.tree, read.root, table, 0, "", std::optional(text)}, ""));
  derive_from_config(checkpoint);
  find_field_faults(checkpoint);
  return checkpoint;
}

}  // namespace

Result<Checkpoint> checkpoint_of_tensors(const std::string& name,
                                         const std::vector<MemoryTensor>& tensors) {
  return caught(name, [&] { return checkpoint_now(name, tensors); });
}

Result<Checkpoint> checkpoint_of_pickle(const std::string& name, std::vector<std::uint8_t> pickle,
                                        const std::vector<MemoryStorage>& storages) {
  const FloatMode contract;  // numbers of texts are read
  return caught(name, [&] { return unpickled(name, std::move(pickle), storages); });
}

}  // namespace samebits
