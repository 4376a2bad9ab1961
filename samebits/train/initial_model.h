// A new model from a config alone: the weights that transformers 5.24.0 gives it after
// torch.manual_seed(seed), bit for bit.
//
//     torch.manual_seed(seed)
//     model = ViTMAEForPreTraining(config)
//
// Covers the classes that are trained: ViTMAEForPreTraining, and ViT, DeiT, Dinov2 and
// Dinov2WithRegisters ForImageClassification. Source: family/initial_values.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// The config of a path that is one alone: a JSON file, or a directory whose files are JSON or
/// text. Nothing for other paths. Errors: io, and malformed for a config that is none.
Result<std::optional<Json>> config_alone(const std::string& path);

/// As if the library had saved it under `path`. The config says the class by `architectures`, or
/// its model type by what is usually trained. Errors: unsupported for other classes and for an
/// initializer_range that leaves normal draws, those of make_target().
Result<Checkpoint> initial_checkpoint(const Json& config, const std::string& path,
                                      std::uint64_t seed);

}  // namespace samebits
