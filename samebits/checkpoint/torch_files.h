// The three containers of torch.save (zip since 1.6, the stream of pickles before, tar in 2016) and
// bare pickles, read into a Checkpoint.
//
// Source: torch/serialization.py (`_legacy_load`, `_load`, `legacy_load`) of torch 2.13,
// caffe2/serialize/inline_container.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/open.h"

namespace samebits {

struct TorchObject;

/// What a file holds for the checkpoint: its main object, or a companion whose tensors all play one
/// role.
struct FilePart {
  std::uint32_t file = 0;  // index into Checkpoint::files, whose `container` is set by the reader
  bool main = true;
  std::string prefix;  // companions only
  TensorRole role = TensorRole::other;
  std::string key;          // main only: which weights
  bool calls_only = false;  // only what loading it would call; no tensors
  /// Companions only: called with the object when its tensors are entries.
  std::function<void(const Checkpoint&, const TorchObject&)> then{};
};

/// read_side_object(), and what the part asks for then.
void read_companion_object(Checkpoint& checkpoint, const TorchObject& object, const FilePart& part);

/// A zip with a data.pkl: torch.save since 1.6, or TorchScript. A zip without one: pickles and .npy
/// members are listed. Errors: as ZipArchive::open; malformed where its pickle is broken.
Result<void> read_torch_zip(Checkpoint& checkpoint, const FilePart& part);

/// True where `bytes` begin with the magic number of the legacy stream.
bool is_torch_legacy(Bytes bytes);
Result<void> read_torch_legacy(Checkpoint& checkpoint, const FilePart& part);
/// Of a stream of pickles that is no such stream, but has its protocol version as second pickle or
/// its system information near the start; else nothing.
std::optional<Error> damaged_legacy(Bytes bytes, const std::string& file);

/// A tar with `pickle`, `storages` and `tensors`.
Result<void> read_torch_tar(Checkpoint& checkpoint, const FilePart& part);

/// One or more pickles without torch's storages around them.
Result<void> read_bare_pickle(Checkpoint& checkpoint, const FilePart& part);

/// The next number for StoredTensor::storage.
std::uint32_t next_storage_id(const Checkpoint& checkpoint);

}  // namespace samebits
