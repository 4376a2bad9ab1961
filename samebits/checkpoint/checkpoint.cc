#include "samebits/checkpoint/checkpoint.h"

#include <algorithm>

#include "samebits/family/buffer_names.h"
#include "samebits/tensor/distinct_views.h"

namespace samebits {

const char* kind_name(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::hf_directory: return "hf-directory";
    case CheckpointKind::safetensors: return "safetensors";
    case CheckpointKind::state_dict: return "state-dict";
    case CheckpointKind::whole_module: return "whole-module";
    case CheckpointKind::lightning: return "lightning";
    case CheckpointKind::torchscript: return "torchscript";
    case CheckpointKind::training_checkpoint: return "training-checkpoint";
    case CheckpointKind::trace: return "trace";
    case CheckpointKind::tensors: return "tensors";
    case CheckpointKind::numpy: return "numpy";
    case CheckpointKind::gguf: return "gguf";
    case CheckpointKind::onnx: return "onnx";
    case CheckpointKind::exported: return "exported-program";
    case CheckpointKind::pickle: return "pickle";
    case CheckpointKind::lock: return "lock";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* kind_label(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::hf_directory: return "Hugging Face directory";
    case CheckpointKind::safetensors: return "safetensors file";
    case CheckpointKind::state_dict: return "state dict";
    case CheckpointKind::whole_module: return "whole-module pickle";
    case CheckpointKind::lightning: return "Lightning checkpoint";
    case CheckpointKind::torchscript: return "TorchScript archive";
    case CheckpointKind::training_checkpoint: return "training checkpoint";
    case CheckpointKind::trace: return "trace";
    case CheckpointKind::tensors: return "tensors";
    case CheckpointKind::numpy: return "numpy arrays";
    case CheckpointKind::gguf: return "GGUF file";
    case CheckpointKind::onnx: return "ONNX model";
    case CheckpointKind::exported: return "exported program (.pt2)";
    case CheckpointKind::pickle: return "pickle without tensors";
    case CheckpointKind::lock: return "lock file";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* role_name(TensorRole role) {
  switch (role) {
    case TensorRole::weight: return "weight";
    case TensorRole::parameter: return "parameter";
    case TensorRole::buffer: return "buffer";
    case TensorRole::transient: return "non-persistent buffer";
    case TensorRole::optimizer: return "optimizer";
    case TensorRole::rng: return "rng";
    case TensorRole::other: return "other";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* oddity_name(Oddity::Kind kind) {
  switch (kind) {
    case Oddity::Kind::shared_storage: return "shared-storage";
    case Oddity::Kind::duplicate_tensors: return "duplicate-tensors";
    case Oddity::Kind::unreferenced_bytes: return "unreferenced-bytes";
    case Oddity::Kind::partial_storage: return "partial-storage";
    case Oddity::Kind::container: return "container";
    case Oddity::Kind::bad_checksum: return "bad-checksum";
    case Oddity::Kind::unwritten: return "unwritten";
    case Oddity::Kind::no_checksums: return "no-checksums";
    case Oddity::Kind::skipped: return "skipped";
    case Oddity::Kind::not_finite: return "not-finite";
    case Oddity::Kind::trailing: return "trailing-bytes";
    case Oddity::Kind::hooks: return "hooks";
    case Oddity::Kind::refused: return "refused";
    case Oddity::Kind::incomplete: return "incomplete";
    case Oddity::Kind::other: return "other";
  }
  SAMEBITS_CHECK(false);
  return "";
}

const char* byte_use_name(ByteUse use) {
  switch (use) {
    case ByteUse::weights: return "weights";
    case ByteUse::buffers: return "buffers";
    case ByteUse::optimizer: return "optimizer";
    case ByteUse::other_tensors: return "other_tensors";
    case ByteUse::structure: return "structure";
    case ByteUse::padding: return "padding";
    case ByteUse::unreferenced: return "unreferenced";
  }
  SAMEBITS_CHECK(false);
  return "";
}

std::string Checkpoint::file_beside(const std::string& name) const {
  if (kind != CheckpointKind::hf_directory) return path;
  return path.ends_with('/') ? path + name : path + "/" + name;
}

std::uint64_t Checkpoint::parameters() const {
  std::uint64_t total = 0;
  if (!has_weights()) return total;
  DistinctViews seen;
  for (const std::uint32_t index : weights().weights) {
    const StoredTensor& tensor = entries[index];
    const bool is_buffer = tensor.role == TensorRole::buffer ||
                           (tensor.role != TensorRole::parameter &&
                            names_a_buffer(tensor.name.empty() ? tensor.path : tensor.name,
                                           tensor.view.shape().size()));
    if (is_buffer) continue;
    // What has no bytes, or no elements, is no second name.
    const bool is_told_apart = tensor.readable && tensor.view.numel() > 0;
    if (is_told_apart && seen.add(tensor.view, index) != index) continue;
    total += tensor.view.numel();
  }
  return total;
}

std::size_t Checkpoint::training_modules() const {
  return static_cast<std::size_t>(std::count_if(modules.begin(), modules.end(),
                                                [](const ModuleRecord& m) { return m.training; }));
}

std::string stored_type(const StoredTensor& tensor) {
  return tensor.blocks.empty() ? std::string(info(tensor.view.dtype()).torch) : tensor.blocks;
}

std::uint64_t stored_bytes(const StoredTensor& tensor) {
  return tensor.blocks.empty() ? tensor.view.nbytes() : tensor.storage_bytes;
}

std::vector<std::size_t> first_showing(const std::vector<StoredTensor>& entries) {
  DistinctViews distinct;
  std::vector<std::size_t> first(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i)
    first[i] = entries[i].readable ? distinct.add(entries[i].view, i) : i;
  return first;
}

}  // namespace samebits
