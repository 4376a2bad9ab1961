// Files that are no checkpoint of PyTorch, safetensors or numpy: what they are, by their first
// bytes and never by their name, and what to do with them.
//
// Source of the signatures: the formats' own documents (ONNX's onnx.proto, GGUF's gguf.md, HDF5's
// superblock, msgpack's spec, TensorFlow's saved_model.proto and table_builder.cc, git-lfs's
// pointer.md, git-annex's pointer_file), and files that the libraries write.
#pragma once

#include <optional>
#include <string>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/container/zip.h"

namespace samebits {

struct ForeignFile {
  std::string what;  // "a GGUF file (llama.cpp)"
  std::string hint;  // what to do next
};

/// Nothing where the bytes are none of the table. Reads the beginning and the end; all bytes only
/// of a file that begins with zeros.
std::optional<ForeignFile> find_foreign(Bytes bytes);

/// msgpack that begins as no pickle does: a small map whose first key is a name.
std::optional<ForeignFile> find_msgpack(Bytes bytes);

/// Of a zip archive, by the names of its entries: torch.export's .pt2, a Keras file, a wheel,
/// several torch archives one behind the other. An archive of other files is foreign, too: it names
/// some.
ForeignFile foreign_zip(const ZipArchive& zip);
/// Several torch archives one behind the other.
bool is_stack_of_archives(const ZipArchive& zip);
/// As foreign_zip(), and nothing for an archive of other files.
std::optional<ForeignFile> find_foreign_zip(const ZipArchive& zip);

/// The error for it: unsupported, "this is a GGUF file ..., not a checkpoint".
Error foreign_error(const ForeignFile& foreign, const std::string& path);

}  // namespace samebits
