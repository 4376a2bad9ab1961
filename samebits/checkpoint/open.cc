#include "samebits/checkpoint/open.h"

#include <algorithm>
#include <filesystem>

#include "samebits/base/bytes.h"
#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/dcp_directory.h"
#include "samebits/checkpoint/deep.h"
#include "samebits/checkpoint/field_faults.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/hf_directory.h"
#include "samebits/checkpoint/oddities.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/checkpoint/side_pickles.h"
#include "samebits/checkpoint/torch_refusals.h"

namespace samebits {
namespace {

Result<void> read_single_file(Checkpoint& checkpoint, const std::string& path,
                              const OpenOptions& options) {
  SAMEBITS_TRY(auto map, MappedFile::open(path));
  checkpoint.files.push_back({path, "", std::move(map)});
  return read_file(checkpoint, {.file = 0, .main = true, .key = options.key});
}

Result<void> read_directory(Checkpoint& checkpoint, const std::string& path,
                            const OpenOptions& options) {
  if (is_dcp_directory(path)) return read_dcp_directory(checkpoint, path, options.key);
  return read_hf_directory(checkpoint, path, options);
}

/// Of the files, or of what their tensors describe where that is more.
std::uint64_t bytes_to_read(const Checkpoint& checkpoint) {
  std::uint64_t files = 0;
  for (const SourceFile& file : checkpoint.files) files += file.map ? file.map->bytes().size() : 0;
  std::uint64_t elements = 0;
  const std::vector<std::size_t> first_of = first_showing(checkpoint.entries);
  for (std::size_t i = 0; i < first_of.size(); ++i) {
    const std::uint64_t own = first_of[i] == i ? checkpoint.entries[i].view.nbytes() : 0;
    if (!checked_add(elements, own, &elements)) return ~std::uint64_t{0};
  }
  return std::max(files, elements);
}

Result<Checkpoint> open_now(const std::string& path, const OpenOptions& options) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  std::error_code error;
  const bool directory = std::filesystem::is_directory(path, error);
  SAMEBITS_TRY_VOID(directory ? read_directory(checkpoint, path, options)
                              : read_single_file(checkpoint, path, options));
  if (directory) add_side_calls(checkpoint, path);
  derive_from_config(checkpoint);
  find_field_faults(checkpoint);
  find_tensor_refusals(checkpoint);
  sort_calls(checkpoint);
  account_bytes(checkpoint);
  find_oddities(checkpoint);
  find_unwritten(checkpoint);
  if (options.deep || bytes_to_read(checkpoint) <= options.deep_up_to)
    read_deep(checkpoint, options.threads);
  else if (options.cross_check)
    read_checksums(checkpoint, options.threads);
  return checkpoint;
}

}  // namespace

Result<Checkpoint> open_checkpoint(const std::string& path, const OpenOptions& options) {
  const FloatMode contract;  // numbers of texts are read, and narrow types are widened
  return caught(path, [&] { return open_now(path, options); });
}

}  // namespace samebits
