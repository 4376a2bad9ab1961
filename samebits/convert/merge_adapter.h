// A LoRA merged into its base model: what peft's merge_and_unload() does.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "samebits/base/scratch_file.h"
#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

struct MergedAdapter {
  std::size_t weights = 0;  // that got an update
  std::size_t whole = 0;    // that the adapter holds itself (modules_to_save)
  std::string kind;         // "LoRA", "DoRA"
  /// What the base borrows from afterwards: merged weights, and those that are whole.
  std::shared_ptr<const ScratchFile> scratch;
  std::shared_ptr<const Checkpoint> factors;
};

/// `adapter`: a directory with adapter_config.json and the factors; where the base is a whole
/// PeftModel's state dict, whose factors stand beside its layers, the config alone or a directory
/// with it. The base keeps its names, and tensors that are tied to a changed one change with it.
/// Merged weights lie in a temporary file in `folder`. Errors: those of read_adapter_rules,
/// read_adapter_layers, find_in_base, merge_weight and ScratchFile.
Result<MergedAdapter> merge_adapter(Checkpoint& base, const std::string& adapter,
                                    const std::string& folder, int threads);

}  // namespace samebits
