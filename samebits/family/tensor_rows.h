// The rows of name_table.h. Only name_table.cc needs them.
//
// Sources: transformers 4.57.6 and 5.24.0 models/{vit,vit_mae,deit,dinov2,dinov2_with_registers}
// (held against them by tests/parity/check_targets_test.py); timm 1.0.31 VisionTransformer and
// VisionTransformerDistilled, torchvision 0.29.1 VisionTransformer (compared with their
// state_dict() once); facebookresearch/mae models_mae.py, models_vit.py and main_linprobe.py
// (read).
#pragma once

#include <array>
#include <string_view>

#include "samebits/family/name_table.h"

namespace samebits::model {

struct Row {
  std::string_view role;
  Parts when = 0, unless = 0;
  bool base = true;         // inside the base model, whose prefix it carries
  std::string_view weight;  // shapes
  std::string_view bias;    // "": none; "-": no ".weight" either, the name is the tensor's
  Parts bias_when = 0;
  // vit 4, vit 5, dinov2 4, dinov2 5, timm, mae, torchvision; "" where it has no such tensor
  std::array<std::string_view, kColumns> names;
};

inline constexpr std::string_view kBare = "-";

// clang-format off
inline constexpr std::array kOuterRows = {
    Row{"cls_token", kClassToken, 0, true, "1,1,D", kBare, 0,
        {"embeddings.cls_token", "embeddings.cls_token", "embeddings.cls_token", "embeddings.cls_token",
         "cls_token", "cls_token", "class_token"}},
    Row{"distillation_token", kDistillation, 0, true, "1,1,D", kBare, 0,
        {"embeddings.distillation_token", "embeddings.distillation_token", "", "", "dist_token", "", ""}},
    Row{"mask_token", kMaskToken, 0, true, "1,1,D", kBare, 0,
        {"embeddings.mask_token", "embeddings.mask_token", "", "", "", "", ""}},
    Row{"flat_mask_token", kMaskToken, 0, true, "1,D", kBare, 0,
        {"", "", "embeddings.mask_token", "embeddings.mask_token", "", "", ""}},
    Row{"register_tokens", kRegisters, 0, true, "1,R,D", kBare, 0,
        {"", "", "embeddings.register_tokens", "embeddings.register_tokens", "reg_token", "", ""}},
    Row{"positions", 0, 0, true, "1,X,D", kBare, 0,
        {"embeddings.position_embeddings", "embeddings.position_embeddings",
         "embeddings.position_embeddings", "embeddings.position_embeddings",
         "pos_embed", "pos_embed", "encoder.pos_embedding"}},
    Row{"patches", 0, kPreNorm, true, "D,I,P,W", "D", 0,
        {"embeddings.patch_embeddings.projection", "embeddings.patch_embeddings.projection",
         "embeddings.patch_embeddings.projection", "embeddings.patch_embeddings.projection",
         "patch_embed.proj", "patch_embed.proj", "conv_proj"}},
    Row{"patches", kPreNorm, 0, true, "D,I,P,W", "", 0, {"", "", "", "", "patch_embed.proj", "", ""}},
    Row{"norm_pre", kPreNorm, 0, true, "D", "D", 0, {"", "", "", "", "norm_pre", "", ""}},
    Row{"norm", 0, kPoolNorm, true, "D", "D", 0,
        {"layernorm", "layernorm", "layernorm", "layernorm", "norm", "norm", "encoder.ln"}},
    Row{"pool_norm", kPoolNorm, 0, true, "D", "D", 0, {"", "", "", "", "fc_norm", "fc_norm", ""}},
    Row{"pooler", kPooler, 0, true, "Y,D", "Y", 0, {"pooler.dense", "pooler.dense", "", "", "", "", ""}},
    Row{"pre_logits", kPreLogits, 0, false, "Z,D", "Z", 0, {"", "", "", "", "", "", "heads.pre_logits"}},
    Row{"classifier", kClassifier, kTeacher | kLinearProbe, false, "C,H", "C", 0,
        {"classifier", "classifier", "classifier", "classifier", "head", "head", "heads.head"}},
    Row{"cls_classifier", kClassifier | kTeacher, 0, false, "C,H", "C", 0,
        {"cls_classifier", "cls_classifier", "", "", "head", "", ""}},
    Row{"distillation_classifier", kClassifier | kTeacher, 0, false, "C,H", "C", 0,
        {"distillation_classifier", "distillation_classifier", "", "", "head_dist", "", ""}},
    Row{"probe_classifier", kClassifier | kLinearProbe, 0, false, "C,H", "C", 0,
        {"", "", "", "", "", "head.1", ""}},
    Row{"masked_image", kMaskedImage, 0, false, "Q,D,1,1", "Q", 0,
        {"decoder.0", "decoder.0", "", "", "", "", ""}},
    Row{"decoder:mask_token", kDecoder, 0, false, "1,1,E", kBare, 0,
        {"decoder.mask_token", "decoder.mask_token", "", "", "", "mask_token", ""}},
    Row{"decoder:positions", kDecoder, 0, false, "1,X,E", kBare, 0,
        {"decoder.decoder_pos_embed", "decoder.decoder_pos_embed", "", "", "", "decoder_pos_embed", ""}},
    Row{"decoder:embed", kDecoder, 0, false, "E,D", "E", 0,
        {"decoder.decoder_embed", "decoder.decoder_embed", "", "", "", "decoder_embed", ""}},
    Row{"decoder:norm", kDecoder, 0, false, "E", "E", 0,
        {"decoder.decoder_norm", "decoder.decoder_norm", "", "", "", "decoder_norm", ""}},
    Row{"decoder:pred", kDecoder, 0, false, "V,E", "V", 0,
        {"decoder.decoder_pred", "decoder.decoder_pred", "", "", "", "decoder_pred", ""}},
};

/// Buffers of torch.nn.BatchNorm1d(affine=False), which mae's linear probe puts before its classifier.
inline constexpr std::array kBufferRows = {
    Row{"probe_norm.running_mean", kLinearProbe, 0, false, "D", kBare, 0,
        {"", "", "", "", "", "head.0.running_mean", ""}},
    Row{"probe_norm.running_var", kLinearProbe, 0, false, "D", kBare, 0,
        {"", "", "", "", "", "head.0.running_var", ""}},
    Row{"probe_norm.num_batches_tracked", kLinearProbe, 0, false, "", kBare, 0,
        {"", "", "", "", "", "head.0.num_batches_tracked", ""}},
};

inline constexpr std::array kBlockRows = {
    Row{"norm1", 0, 0, true, "D", "D", 0,
        {"layernorm_before", "layernorm_before", "norm1", "norm1", "norm1", "norm1", "ln_1"}},
    Row{"query", 0, 0, true, "D,D", "D", kQkvBias,
        {"attention.attention.query", "attention.q_proj", "attention.attention.query", "attention.q_proj", "", "", ""}},
    Row{"key", 0, 0, true, "D,D", "D", kQkvBias,
        {"attention.attention.key", "attention.k_proj", "attention.attention.key", "attention.k_proj", "", "", ""}},
    Row{"value", 0, 0, true, "D,D", "D", kQkvBias,
        {"attention.attention.value", "attention.v_proj", "attention.attention.value", "attention.v_proj", "", "", ""}},
    Row{"qkv", 0, 0, true, "3D,D", "3D", kQkvBias,
        {"", "", "", "", "attn.qkv", "attn.qkv", "self_attention.in_proj_"}},
    Row{"q_norm", kQkNorm, 0, true, "K", "K", 0, {"", "", "", "", "attn.q_norm", "", ""}},
    Row{"k_norm", kQkNorm, 0, true, "K", "K", 0, {"", "", "", "", "attn.k_norm", "", ""}},
    Row{"attention_output", 0, 0, true, "D,D", "D", 0,
        {"attention.output.dense", "attention.o_proj", "attention.output.dense", "attention.o_proj",
         "attn.proj", "attn.proj", "self_attention.out_proj"}},
    Row{"scale1", kLayerScale, 0, true, "D", kBare, 0,
        {"", "", "layer_scale1.lambda1", "layer_scale1.lambda1", "ls1.gamma", "", ""}},
    Row{"norm2", 0, 0, true, "D", "D", 0,
        {"layernorm_after", "layernorm_after", "norm2", "norm2", "norm2", "norm2", "ln_2"}},
    Row{"mlp_in", 0, kGated, true, "M,D", "M", 0,
        {"intermediate.dense", "mlp.fc1", "mlp.fc1", "mlp.fc1", "mlp.fc1", "mlp.fc1", "mlp.0"}},
    Row{"mlp_out", 0, kGated, true, "D,M", "D", 0,
        {"output.dense", "mlp.fc2", "mlp.fc2", "mlp.fc2", "mlp.fc2", "mlp.fc2", "mlp.3"}},
    Row{"gate_up", kGated, 0, true, "2F,D", "2F", 0, {"", "", "mlp.weights_in", "", "mlp.fc1", "", ""}},
    Row{"gate", kGated, 0, true, "F,D", "F", 0, {"", "", "", "mlp.gate_proj", "", "", ""}},
    Row{"up", kGated, 0, true, "F,D", "F", 0, {"", "", "", "mlp.up_proj", "", "", ""}},
    Row{"down", kGated, 0, true, "D,F", "D", 0,
        {"", "", "mlp.weights_out", "mlp.down_proj", "mlp.fc2", "", ""}},
    Row{"scale2", kLayerScale, 0, true, "D", kBare, 0,
        {"", "", "layer_scale2.lambda1", "layer_scale2.lambda1", "ls2.gamma", "", ""}},
};

/// Where a block's module lies.
inline constexpr std::array<std::string_view, kColumns> kBlockPath = {
    "encoder.layer.{n}.", "layers.{n}.", "encoder.layer.{n}.", "encoder.layer.{n}.",
    "blocks.{n}.", "blocks.{n}.", "encoder.layers.encoder_layer_{n}."};
inline constexpr std::array<std::string_view, kColumns> kDecoderPath = {
    "decoder.decoder_layers.{n}.", "decoder.decoder_layers.{n}.", "", "", "", "decoder_blocks.{n}.", ""};

inline constexpr std::array<std::string_view, 3> kPatchProjections = {
    "patch_embeddings.projection.weight", "patch_embed.proj.weight", "conv_proj.weight"};

inline constexpr std::array<std::string_view, 3> kQkv = {"query", "key", "value"};
inline constexpr std::array<std::string_view, 2> kGateUp = {"gate", "up"};
inline constexpr std::array kFusions = {Fusion{"qkv", kQkv}, Fusion{"gate_up", kGateUp}};

// clang-format on

}  // namespace samebits::model
