// Names of models in the local Hugging Face cache, wherever a command line takes a path.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "samebits/base/error.h"

namespace samebits {

/// Where huggingface_hub keeps what it downloads, by the same variables: HF_HUB_CACHE, HF_HOME/hub,
/// or ~/.cache/huggingface/hub. "" where none of them is known.
std::string hub_cache_folder();

/// The directory of the snapshot that `path` names; `path` itself where it exists, or names none.
Result<std::string> path_or_snapshot(const std::string& path);

/// A value of this option may be such a name. Where the cache lacks the revision, that is a usage
/// error.
CLI::Option* accept_hub_names(CLI::Option* option);
/// The same for an option that has words of its own: only ORG/NAME.
CLI::Option* accept_whole_hub_names(CLI::Option* option);

}  // namespace samebits
