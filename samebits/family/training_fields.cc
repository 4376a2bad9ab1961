#include <array>

#include "samebits/family/field_rows.h"

namespace samebits {
namespace {

constexpr std::string_view kLeftOut = "layers are left out in training mode only";
constexpr std::string_view kInitial = "scales initial weights only";
constexpr std::string_view kInitialValue = "an initial value, which the weights replace";
constexpr std::string_view kLoss = "only a loss is computed from it";
constexpr std::string_view kMasks = "inputs are masked in training mode only";
constexpr std::string_view kMoved = "positions are moved in training mode only";
constexpr std::string_view kFloat32 = "attention is computed in float32 or in the model's type";
constexpr std::string_view kSliced = "matrices are multiplied in slices, which rounds otherwise";
constexpr std::string_view kNotRead = "transformers 4.57 and 5 do not read it";

constexpr std::string_view kMasked = "wav2vec2 hubert wavlm whisper";
constexpr std::string_view kOfFairseq = "bart mbart pegasus marian";

constexpr auto kTrainingFields = std::to_array<ConfigField>({
    // Dropout.
    {"", "attention_dropout", kTraining, "", kDropout},
    {"", "attn_pdrop", kTraining, "", kDropout},
    {"", "resid_pdrop", kTraining, "", kDropout},
    {"", "embd_pdrop", kTraining, "", kDropout},
    {"", "emb_pdrop", kTraining, "", kDropout},
    {"", "embed_dropout", kTraining, "", kDropout},
    {"", "embedding_dropout", kTraining, "", kDropout},
    {"", "dropout", kTraining, "", kDropout},
    {"", "dropout_rate", kTraining, "", kDropout},
    {"", "hidden_dropout", kTraining, "", kDropout},
    {"", "activation_dropout", kTraining, "", kDropout},
    {"", "resid_dropout", kTraining, "", kDropout},
    {"", "residual_dropout", kTraining, "", kDropout},
    {"", "mlp_dropout", kTraining, "", kDropout},
    {"", "feat_proj_dropout", kTraining, "", kDropout},
    {"", "feat_quantizer_dropout", kTraining, "", kDropout},
    {"", "final_dropout", kTraining, "", kDropout},
    {"", "pooler_dropout", kTraining, "", kDropout},
    {"", "classifier_dropout", kTraining, "", kDropout},
    {"", "classifier_dropout_prob", kTraining, "", kDropout},
    {"", "semantic_classifier_dropout", kTraining, "", kDropout},
    {"", "seq_classif_dropout", kTraining, "", kDropout},
    {"", "qa_dropout", kTraining, "", kDropout},
    {"", "summary_first_dropout", kTraining, "", kDropout},
    {"", "summary_last_dropout", kTraining, "", kDropout},
    {"", "aspp_dropout_prob", kTraining, "", kDropout},
    {"", "layerdrop", kTraining, "", kLeftOut},
    {"", "encoder_layerdrop", kTraining, "", kLeftOut},
    {"", "decoder_layerdrop", kTraining, "", kLeftOut},
    {"", "router_jitter_noise", kTraining, "", "noise acts in training mode only"},
    {kMasked, "apply_spec_augment", kTraining, "", kMasks},
    {kMasked, "mask_time_prob", kTraining, "", kMasks},
    {kMasked, "mask_time_length", kTraining, "", kMasks},
    {kMasked, "mask_time_min_masks", kTraining, "", kMasks},
    {kMasked, "mask_feature_prob", kTraining, "", kMasks},
    {kMasked, "mask_feature_length", kTraining, "", kMasks},
    {kMasked, "mask_feature_min_masks", kTraining, "", kMasks},
    {"dinov3_vit", "pos_embed_jitter", kTraining, "", kMoved},
    {"dinov3_vit", "pos_embed_shift", kTraining, "", kMoved},
    {"dinov3_vit", "pos_embed_rescale", kTraining, "", kMoved},
    // Initial weights.
    {"", "init_std", kTraining, "", kInitial},
    {"", "init_xavier_std", kTraining, "", kInitial},
    {"modernbert", "initializer_cutoff_factor", kTraining, "", "cuts initial weights only"},
    {"", "logit_scale_init_value", kTraining, "", kInitialValue},
    {"beit convnext", "layer_scale_init_value", kTraining, "", kInitialValue},
    {"distilbert", "sinusoidal_pos_embds", kTraining, "", kInitialValue},
    {"mamba", "time_step_min", kTraining, "", kInitial},
    {"mamba", "time_step_max", kTraining, "", kInitial},
    {"mamba", "time_step_floor", kTraining, "", kInitial},
    {"mamba", "time_step_scale", kTraining, "", kInitial},
    // Losses.
    {"", "ctc_loss_reduction", kTraining, "", kLoss},
    {"", "ctc_zero_infinity", kTraining, "", kLoss},
    {"detr yolos", "class_cost", kTraining, "", kLoss},
    {"detr yolos", "bbox_cost", kTraining, "", kLoss},
    {"detr yolos", "giou_cost", kTraining, "", kLoss},
    {"detr yolos", "bbox_loss_coefficient", kTraining, "", kLoss},
    {"detr yolos", "giou_loss_coefficient", kTraining, "", kLoss},
    {"detr", "mask_loss_coefficient", kTraining, "", kLoss},
    {"detr", "dice_loss_coefficient", kTraining, "", kLoss},
    {"detr yolos", "eos_coefficient", kTraining, "", kLoss},
    {"detr yolos", "auxiliary_loss", kTraining, "",
     "adds losses, or returns what single layers detect beside the rest"},
    {"beit segformer dpt mobilevit mobilenet_v2", "semantic_loss_ignore_index", kTraining, "",
     kLoss},
    {"beit dpt", "auxiliary_loss_weight", kTraining, "", kLoss},
    {"modernbert", "sparse_pred_ignore_index", kTraining, "", kLoss},
    // Rounding.
    {"gpt2", "reorder_and_upcast_attn", kNumerics, "", kFloat32},
    {"gpt_bigcode", "attention_softmax_in_fp32", kNumerics, "", kFloat32},
    {"gpt_bigcode", "scale_attention_softmax_in_fp32", kNumerics, "", kFloat32},
    {"mamba", "residual_in_fp32", kNumerics, "",
     "residuals are kept in float32 or in the model's type"},
    {"bloom", "slow_but_exact", kNumerics, "", kSliced},
    {"bloom", "pretraining_tp", kNumerics, "", kSliced},
    {"modernbert", "deterministic_flash_attn", kNumerics, "",
     "gradients of one kernel are summed in a fixed order or not"},
    // What no code reads.
    {"deepseek_v3 llama mistral", "pretraining_tp", kNothing, "", kNotRead},
    {"gpt2 gpt_neo gptj", "n_ctx", kNothing, "", kNotRead},
    {"bert", "directionality", kNothing, "", kNotRead},
    {"bert", "pooler_fc_size", kNothing, "", kNotRead},
    {"bert", "pooler_num_attention_heads", kNothing, "", kNotRead},
    {"bert", "pooler_num_fc_layers", kNothing, "", kNotRead},
    {"bert", "pooler_size_per_head", kNothing, "", kNotRead},
    {"bert", "pooler_type", kNothing, "", kNotRead},
    {"bert roberta t5 xlm-roberta", "output_past", kNothing, "", kNotRead},
    {"mt5 t5", "n_positions", kNothing, "", kNotRead},
    {"albert", "net_structure_type", kNothing, "", kNotRead},
    {"albert", "gap_size", kNothing, "", kNotRead},
    {"albert", "num_memory_blocks", kNothing, "", kNotRead},
    {"albert", "down_scale_factor", kNothing, "", kNotRead},
    {kOfFairseq, "add_bias_logits", kNothing, "", kNotRead},
    {kOfFairseq, "add_final_layer_norm", kNothing, "", kNotRead},
    {kOfFairseq, "classif_dropout", kNothing, "", kNotRead},
    {kOfFairseq, "extra_pos_embeddings", kNothing, "", kNotRead},
    {kOfFairseq, "force_bos_token_to_be_generated", kNothing, "", kNotRead},
    {kOfFairseq, "normalize_before", kNothing, "", kNotRead},
    {kOfFairseq, "normalize_embedding", kNothing, "", kNotRead},
    {kOfFairseq, "static_position_embeddings", kNothing, "", kNotRead},
    {"bloom", "n_inner", kNothing, "", kNotRead},
    {"bloom", "seq_length", kNothing, "", kNotRead},
    {"bloom", "offset_alibi", kNothing, "", kNotRead},
    {"bloom", "attention_softmax_in_fp32", kNothing, "", kNotRead},
    {"bloom", "masked_softmax_fusion", kNothing, "", kNotRead},
    {"bloom", "bias_dropout_fusion", kNothing, "", kNotRead},
    {"deepseek_v3", "ep_size", kNothing, "", kNotRead},
    {"deepseek_v3", "topk_method", kNothing, "", kNotRead},
    {"deepseek_v3", "scoring_func", kNothing, "", kNotRead},
    {"deepseek_v3", "moe_layer_freq", kNothing, "", kNotRead},
    {"gpt_oss", "initial_context_length", kNothing, "", kNotRead},
    {"mpt", "expansion_ratio", kNothing, "", kNotRead},
    {"mpt", "no_bias", kNothing, "", kNotRead},
    {"mpt", "learned_pos_emb", kNothing, "", kNotRead},
    {"mpt", "embedding_fraction", kNothing, "", kNotRead},
    {"mpt", "logit_scale", kNothing, "", kNotRead},
    {"mpt", "norm_type", kNothing, "", kNotRead},
    {"mpt", "verbose", kNothing, "", kNotRead},
    {"mpt", "init_device", kNothing, "", kNotRead},
});

}  // namespace

std::span<const ConfigField> training_field_rows() { return kTrainingFields; }

}  // namespace samebits
