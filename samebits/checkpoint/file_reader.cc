#include "samebits/checkpoint/file_reader.h"

#include <algorithm>
#include <string_view>

#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/directory_kinds.h"
#include "samebits/checkpoint/foreign_files.h"
#include "samebits/checkpoint/gguf_files.h"
#include "samebits/checkpoint/numpy_files.h"
#include "samebits/checkpoint/onnx_files.h"
#include "samebits/checkpoint/safetensors_files.h"
#include "samebits/container/gguf.h"
#include "samebits/container/npy.h"
#include "samebits/container/pickle.h"
#include "samebits/container/safetensors.h"
#include "samebits/container/tar.h"
#include "samebits/container/zip.h"

namespace samebits {
namespace {

Error unknown_content(const SourceFile& source) {
  const std::string_view text = as_text(source.map->bytes());
  Error error{.code = ErrorCode::unsupported,
              .what = "not a checkpoint that samebits knows",
              .file = source.path,
              .offset = 0};
  error.expected = "a file written by torch.save, safetensors or numpy";
  if (text.empty()) {
    error.code = ErrorCode::truncated;
    error.what = "the file is empty";
    error.hint = "Its writer failed, or the download did";
    return error;
  }
  if (const auto foreign = find_foreign(source.map->bytes()))
    return foreign_error(*foreign, source.path);
  error.found = "unknown bytes";
  error.hint = hint_beside(source.path);
  return error;
}

/// A text may look like a pickle, and a pickle like a text: what can be read, or names something
/// before it breaks, is one.
Result<void> read_possible_pickle(Checkpoint& checkpoint, const FilePart& part) {
  const SourceFile source = checkpoint.files[part.file];
  const Bytes bytes = source.map->bytes();
  Result<void> read = read_bare_pickle(checkpoint, part);
  constexpr std::uint8_t kProto = 0x80;
  if (read || bytes[0] == kProto || !checkpoint.imports.empty() ||
      read.error().code == ErrorCode::usage)
    return read;
  if (const auto foreign = find_foreign(bytes)) return fail(foreign_error(*foreign, source.path));
  return read;
}

Result<void> read_npy_file(Checkpoint& checkpoint, const FilePart& part) {
  checkpoint.files[part.file].container = "npy";
  SAMEBITS_TRY_VOID(
      add_npy(checkpoint,
              {.file = part.file, .bytes = checkpoint.files[part.file].map->bytes(), .name = ""}));
  if (checkpoint.has_weights()) return choose_weights(checkpoint, part.key);
  return choose_numpy(checkpoint);
}

/// The order matters: a legacy stream may hold a zip's end record inside a tensor, a pickle may
/// look like many things.
Result<void> dispatch(Checkpoint& checkpoint, const FilePart& part) {
  const SourceFile source = checkpoint.files[part.file];
  const Bytes bytes = source.map->bytes();
  if (is_torch_legacy(bytes)) return read_torch_legacy(checkpoint, part);
  if (as_text(bytes).starts_with("PK\x03\x04")) return read_torch_zip(checkpoint, part);
  if (looks_like_npy(bytes)) return read_npy_file(checkpoint, part);
  if (SafetensorsFile::looks_like(bytes)) return read_safetensors(checkpoint, part.file, part.key);
  if (GgufFile::looks_like(bytes)) return read_gguf(checkpoint, part.file, part.key);
  if (TarArchive::looks_like(bytes)) return read_torch_tar(checkpoint, part);
  if (ZipArchive::looks_like(bytes)) return read_torch_zip(checkpoint, part);
  if (auto msgpack = find_msgpack(bytes)) return fail(foreign_error(*msgpack, source.path));
  if (is_onnx_model(bytes)) return read_onnx_file(checkpoint, part.file, part.key);
  if (pickle::looks_like(bytes)) {
    if (auto damage = damaged_legacy(bytes, source.path)) checkpoint.unread.push_back(*damage);
    return read_possible_pickle(checkpoint, part);
  }
  return fail(unknown_content(source));
}

bool says_joblib(const std::vector<std::string>& imports) {
  return std::ranges::any_of(
      imports, [](const std::string& name) { return name.starts_with("joblib.numpy_pickle."); });
}

/// joblib writes the numbers of each array into the pickle, behind the object that describes it.
Error joblib_error(Error error) {
  error.code = ErrorCode::unsupported;
  error.what =
      "this is a joblib file, whose arrays stand between the opcodes of its pickle: what "
      "follows the first of them was not read (" +
      error.what + ")";
  error.hint = "Load it with joblib if you trust it, and save the arrays with numpy.savez";
  return error;
}

}  // namespace

Result<void> read_file(Checkpoint& checkpoint, const FilePart& part) {
  Result<void> read = dispatch(checkpoint, part);
  const bool names_something =
      !checkpoint.imports.empty() && !read && read.error().code != ErrorCode::usage;
  if (!names_something) return read;
  checkpoint.unread.push_back(says_joblib(checkpoint.imports) ? joblib_error(read.error())
                                                              : std::move(read).error());
  return {};
}

}  // namespace samebits
