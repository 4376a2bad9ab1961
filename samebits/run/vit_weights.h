// A ViT's weights as its forward pass reads them: matrices packed once, everything as float32.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/kernels/linear.h"
#include "samebits/run/vit_config.h"

namespace samebits {

struct LinearWeights {
  PackedMatrix matrix;
  std::vector<float> bias;  // zeros where the model has none
};

struct NormWeights {
  std::vector<float> gamma, beta;
};

struct VitBlock {
  NormWeights norm1, norm2;
  LinearWeights qkv;  // query, key and value, one behind the other
  LinearWeights attention_output, mlp_in, mlp_out;
  bool gated = false;                 // mlp_in is gate and up, one behind the other
  std::vector<float> scale1, scale2;  // layer scale; empty where there is none
};

struct VitWeights {
  std::vector<float> class_token, distillation_token;  // [width]; the second may be empty
  std::vector<float> registers;                        // [count, width], without positions
  std::vector<float> positions;  // [tokens before the patches + patches, width]
  LinearWeights patches;         // [width, channels * patch height * patch width]
  std::vector<VitBlock> blocks;
  NormWeights norm;
  std::optional<LinearWeights> pooler, classifier;
  std::optional<LinearWeights> distillation_classifier;  // beside `classifier`: their mean counts
  // of a masked autoencoder
  std::vector<float> mask_token, decoder_positions;
  std::optional<LinearWeights> decoder_embed, decoder_pred;
  std::vector<VitBlock> decoder_blocks;
  NormWeights decoder_norm;
};

/// The chosen weights of `checkpoint` by their roles, on so many threads. A matrix is packed out of
/// the mapped file, whose pages are given back behind it. Half types widen exactly; float64 is
/// rounded to float32. Errors: truncated for a tensor that the file has no bytes for, inconsistent
/// for one that is missing, unsupported for a type that is no number.
Result<VitWeights> load_vit_weights(const Checkpoint& checkpoint, const model::Recognition& found,
                                    const VitConfig& config, int threads = 1);

}  // namespace samebits
