// How each form of quantized weights is to be read: what names, shapes and config fields say it,
// and how a layer's tensors become codes, scales and zero points.
//
// Sources: bitsandbytes 0.50.2 (functional.py, backends/default/ops.py), compressed-tensors 0.20.1
// (compressors/, quantization/lifecycle/) and 0.12.2 (the same, for act-order), torchao 0.18.0
// (quantization/quantize_/workflows/), transformers 5.24.0 (integrations/finegrained_fp8.py),
// AutoGPTQ 0.7.1 and GPTQModel 7.7.0 (nn_modules/qlinear/), AutoAWQ 0.2.9 (utils/packing_utils.py),
// torch 2.13 (quantized tensors). Not read: forms for one kind of device (marlin, tile-packed),
// nvfp4 and mxfp4 of compressed-tensors, torchao's Int4Tensor, whose dequantization is in its
// kernels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/quantized/layers.h"
#include "samebits/quantized/quantized_weight.h"

namespace samebits {

/// Nothing where no form is known, its tensors do not fit one another, or it does not say all that
/// is needed. What is returned fits().
std::optional<QuantizedWeight> read_quantized(const LayerSource& source, const std::string& layer,
                                              const std::vector<std::string>& parts);

/// The forms of a checkpoint's quantized weights and how many are of each, the most frequent first;
/// "" is a form that is not read.
struct FormCount {
  std::string form;
  std::size_t count = 0;
};
std::vector<FormCount> count_forms(const Checkpoint& checkpoint);

// One for each library; the table in forms.cc tries them in order.
using ReadForm = std::optional<QuantizedWeight>(const LayerSource&, const std::string& layer,
                                                const std::vector<std::string>& parts);
ReadForm read_bitsandbytes_4bit, read_bitsandbytes_int8, read_compressed_packed, read_scaled_bytes,
    read_torchao, read_gptq, read_awq, read_torch_quantized;

/// A grid of scales laid over a matrix: one for all, one for each row, or blocks of equal size.
/// Nothing where the numbers do not divide.
std::optional<ScaleGrid> even_grid(std::uint64_t rows, std::uint64_t columns,
                                   const Shape& scale_shape);

/// Rows and columns of a weight: all dimensions but the first are its columns.
void set_shape(QuantizedWeight& weight, const Shape& shape);

}  // namespace samebits
