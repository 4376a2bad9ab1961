#include "samebits/checkpoint/numpy_files.h"

#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/numpy_objects.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/checkpoint/tree_digest.h"
#include "samebits/checkpoint/tree_view.h"
#include "samebits/container/npy.h"

namespace samebits {
namespace {

/// The dict that numpy.save wrote as an array of one object; kNone for other arrays.
NodeId lone_mapping(const pickle::Tree& tree, NodeId array) {
  if (!is_numpy_array(tree, array) || tree.states(array).empty()) return pickle::kNone;
  const auto state = elements(tree, tree.states(array).back());
  if (state.empty()) return pickle::kNone;
  const auto objects = elements(tree, state.back());
  return objects.size() == 1 && is_mapping(tree, objects[0]) ? objects[0] : pickle::kNone;
}

}  // namespace

Result<void> add_npy(Checkpoint& checkpoint, const NpyPart& part) {
  const std::string& path = checkpoint.files[part.file].path;
  SAMEBITS_TRY(const NpyHeader header, read_npy_header(part.bytes, path, part.base));
  if (part.in_file)
    use_bytes(checkpoint, part.file, part.base, part.base + header.data_offset, ByteUse::structure);
  if (header.is_object) {
    const pickle::Pickle pickle =
        pickle::read(part.bytes.subspan(header.data_offset), path, part.base + header.data_offset);
    if (part.in_file)
      use_bytes(checkpoint, part.file, pickle.begin, pickle.end, ByteUse::structure);
    add_calls(checkpoint, pickle, part.file);
    if (pickle.error) return fail(*pickle.error);
    add_following_calls(checkpoint, {.bytes = part.bytes,
                                     .path = path,
                                     .base = part.base,
                                     .position = pickle.end - part.base,
                                     .file = part.file});
    if (const NodeId mapping = lone_mapping(pickle.tree, pickle.root);
        part.name.empty() && mapping != pickle::kNone) {
      const StorageTable storages;
      return read_main_object(checkpoint, {pickle.tree, mapping, storages, part.file, ""}, "");
    }
    const TreeDigest digest = digest_of_tree(pickle.tree, pickle.root);
    checkpoint.values.push_back({.path = part.name.empty() ? "the array of objects" : part.name,
                                 .loaded = true,
                                 .text = "",
                                 .digest = digest.digest,
                                 .complete = digest.complete});
    checkpoint.oddities.push_back(
        {.kind = Oddity::Kind::other,
         .summary = (part.name.empty() ? "the array" : "array " + part.name) +
                    " holds Python objects as a pickle, not numbers",
         .file = part.file,
         .offset = part.base + header.data_offset});
    return {};
  }
  SAMEBITS_TRY(TensorView view, npy_view(header, part.bytes, path, part.base));
  StoredTensor tensor;
  tensor.path = part.name;
  tensor.role = TensorRole::weight;
  tensor.file = part.file;
  tensor.storage = next_storage_id(checkpoint);
  tensor.storage_bytes = view.nbytes();
  if (part.in_file)
    tensor.offset = part.base +
                    static_cast<std::uint64_t>(view.storage().data() - part.bytes.data()) +
                    view.byte_offset();
  tensor.view = std::move(view);
  checkpoint.entries.push_back(std::move(tensor));
  return {};
}

Result<void> choose_numpy(Checkpoint& checkpoint) {
  Candidate all;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) all.weights.push_back(i);
  if (all.weights.empty()) return {};
  checkpoint.kind = CheckpointKind::numpy;
  checkpoint.candidates.push_back(std::move(all));
  return choose_weights(checkpoint, "");
}

}  // namespace samebits
