// Models that huggingface_hub keeps in its cache, found by their names and without a network.
//
// Layout: CACHE/models--ORG--NAME with refs/REVISION, which holds a commit, and snapshots/COMMIT,
// the directory of files. Source: huggingface_hub 1.0, "Understand caching".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "samebits/base/error.h"

namespace samebits {

/// The snapshot's directory for "google/vit-base-patch16-224", or for a branch, a tag or a commit
/// behind an @; without one it is main, as from_pretrained() takes it. Nothing where the name can
/// be none of a model, or `cache` has no model of that name. Errors: usage where it has the model
/// but not that revision; the hint lists what it has.
Result<std::optional<std::string>> find_snapshot(const std::string& cache, std::string_view name);

}  // namespace samebits
