#include "samebits/checkpoint/open.h"

#include <filesystem>

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

/// model_type and versions from the config; both may stand nowhere.
void derive_from_config(Checkpoint& checkpoint) {
  if (!checkpoint.config.is_object()) return;
  const auto text = [&](const char* field) {
    return checkpoint.config.contains(field) && checkpoint.config[field].is_string()
               ? checkpoint.config[field].get<std::string>()
               : std::string();
  };
  checkpoint.model_type = text("model_type");
  // The config of a pickled module keeps the version that wrote the file which it was loaded from.
  if (!checkpoint.modules.empty()) return;
  if (const std::string version = text("transformers_version"); !version.empty())
    checkpoint.producer["transformers"] = version;
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
  if (options.deep)
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
