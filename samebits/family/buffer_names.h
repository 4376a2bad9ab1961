// Names of buffers that state_dict() holds among the parameters, where the file does not say which
// are which.
//
// Source: torch 2.13.0 nn/modules/batchnorm.py and optim/swa_utils.py; register_buffer() in
// modeling files of transformers 4.57.6 and 5.24.0 and of timm 1.0.
#pragma once

#include <cstddef>
#include <string_view>

namespace samebits {

/// "bn1.running_mean", "embeddings.position_ids", "h.0.attn.bias" of four dimensions.
bool names_a_buffer(std::string_view name, std::size_t dimensions);

}  // namespace samebits
