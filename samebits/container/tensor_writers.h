// Writes tensors as safetensors, as a torch.save archive, or as a numpy archive.
//
// The same tensors give the same bytes in every run. Sources: safetensors' README ("Format");
// torch 2.13.0 serialization.py (_save) and _utils.py (_rebuild_tensor_v2, _rebuild_tensor_v3);
// numpy/lib/_format_impl.py, version 1.0. Every function's errors: io, and inconsistent where two
// tensors have one name.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "samebits/container/tensor_blob.h"

namespace samebits {

/// Whether the format has that type.
bool safetensors_can_hold(DType dtype);
bool torch_archive_can_hold(DType dtype);
bool npz_can_hold(DType dtype);

/// Tensors stand by size of element, the largest first, then by name, as the library writes them,
/// so that each begins at a multiple of it; the first at a multiple of 64. A blob that several
/// tensors share is written under the first of their names, and the metadata says so, as
/// safetensors' save_model() does.
Result<void> stream_safetensors(const TensorsToWrite& tensors,
                                std::map<std::string, std::string> metadata, const ByteSink& sink);

/// A dict, or a dict of dicts: {key: {name: tensor}}. torch.load() reads it with weights_only=True.
/// Tied tensors share a storage.
Result<void> stream_torch_archive(const TensorsToWrite& tensors, std::string_view key,
                                  const ByteSink& sink);

/// One array for each name.
Result<void> stream_npz(const TensorsToWrite& tensors, const ByteSink& sink);

}  // namespace samebits
