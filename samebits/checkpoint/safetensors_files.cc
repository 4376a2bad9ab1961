#include "samebits/checkpoint/safetensors_files.h"

#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/container/safetensors.h"

namespace samebits {

Result<void> add_safetensors(Checkpoint& checkpoint, std::uint32_t file) {
  checkpoint.files[file].container = "safetensors";
  const Bytes bytes = checkpoint.files[file].map->bytes();
  SAMEBITS_TRY(SafetensorsFile header, SafetensorsFile::open(bytes, checkpoint.files[file].path));
  use_bytes(checkpoint, file, 0, 8 + header.header_bytes, ByteUse::structure);
  for (const auto& [name, value] : header.metadata) checkpoint.producer["metadata"][name] = value;
  std::uint32_t id = next_storage_id(checkpoint);
  for (SafetensorsEntry& entry : header.entries) {
    StoredTensor tensor;
    tensor.path = std::move(entry.name);
    tensor.role = TensorRole::weight;
    tensor.file = file;
    tensor.offset = entry.begin;
    tensor.storage = id++;
    tensor.storage_bytes = entry.end - entry.begin;
    Strides strides = contiguous_strides(entry.shape);
    SAMEBITS_TRY(tensor.view,
                 TensorView::make(entry.dtype, std::move(entry.shape), std::move(strides), 0,
                                  bytes.subspan(entry.begin, entry.end - entry.begin)));
    checkpoint.entries.push_back(std::move(tensor));
  }
  return {};
}

Result<void> read_safetensors(Checkpoint& checkpoint, std::uint32_t file, const std::string& key) {
  SAMEBITS_TRY_VOID(add_safetensors(checkpoint, file));
  const bool traced =
      !checkpoint.producer.is_null() && checkpoint.producer["metadata"].contains("samebits.trace");
  checkpoint.kind = traced ? CheckpointKind::trace : CheckpointKind::safetensors;
  Candidate all;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) all.weights.push_back(i);
  checkpoint.candidates.push_back(std::move(all));
  return choose_weights(checkpoint, key);
}

}  // namespace samebits
