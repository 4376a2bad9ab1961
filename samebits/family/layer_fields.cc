#include <array>

#include "samebits/family/field_rows.h"

namespace samebits {
namespace {

constexpr std::string_view kEps = "norms divide by another number";
constexpr std::string_view kActivation = "another activation in every MLP";
constexpr std::string_view kHeads = "query, key and value are split into other heads";
constexpr std::string_view kKeyHeads = "keys and values have another number of heads";
constexpr std::string_view kBias = "layers lose or gain a bias";
constexpr std::string_view kNormed = "queries and keys lose or gain a norm";
constexpr std::string_view kNormPlace = "norms stand before or behind what they are for";
constexpr std::string_view kBeside = "attention and MLP stand beside or behind one another";
constexpr std::string_view kLogits = "logits are scaled otherwise";
constexpr std::string_view kAttentionLogits = "attention logits are scaled otherwise";
constexpr std::string_view kEmbeddings = "embeddings are scaled otherwise";
constexpr std::string_view kReach = "attention reaches another number of tokens";
constexpr std::string_view kPositions = "positions enter attention otherwise";
constexpr std::string_view kGroups = "experts are chosen from other groups";
constexpr std::string_view kCut = "the input is cut otherwise";
constexpr std::string_view kUnread = "the class does not read it";

/// Types whose vocabulary and positions are tables among their weights.
constexpr std::string_view kVocabulary =
    "gpt2 gpt_neo gpt_neox gptj gpt_bigcode codegen opt bloom falcon llama mistral mixtral qwen2 "
    "qwen2_moe qwen3 qwen3_moe gemma gemma2 gemma3_text phi phi3 cohere cohere2 granite granitemoe "
    "olmo olmo2 olmoe stablelm starcoder2 persimmon nemotron glm glm4 smollm3 gpt_oss deepseek_v3 "
    "mpt mamba bert roberta xlm-roberta camembert distilbert albert electra deberta-v2 deberta "
    "mpnet modernbert t5 mt5 umt5 bart mbart pegasus marian m2m_100 blenderbot whisper "
    "clip_text_model siglip_text_model blip_text_model";
constexpr std::string_view kPositionTables =
    "gpt_neo opt bert roberta xlm-roberta camembert distilbert albert electra deberta-v2 deberta "
    "mpnet bart mbart pegasus marian blenderbot clip_text_model siglip_text_model blip_text_model";

/// Types whose positions are angles alone.
constexpr std::string_view kRotary =
    "cohere cohere2 deepseek_v3 gemma gemma2 gemma3_text glm glm4 gpt_neox gpt_oss granite "
    "granitemoe llama mistral mixtral modernbert nemotron olmo olmo2 olmoe persimmon phi phi3 "
    "qwen2 qwen2_moe qwen3 qwen3_moe smollm3 stablelm starcoder2";

constexpr auto kLayerFields = std::to_array<ConfigField>({
    // Sizes.
    {kVocabulary, "vocab_size", kOutputs, "", kShapesChange},
    {kPositionTables, "max_position_embeddings", kOutputs, "", kShapesChange},
    {kRotary, "max_position_embeddings", kUnknown, "", kOfRotaryKind},
    {"gpt2 gpt_bigcode", "n_positions", kOutputs, "", kShapesChange},
    {"whisper", "max_source_positions", kOutputs, "", kShapesChange},
    {"whisper", "max_target_positions", kOutputs, "", kShapesChange},
    {"mpt", "max_seq_len", kOutputs, "", "positions count otherwise in attention"},
    {"", "type_vocab_size", kOutputs, "", kShapesChange},
    {"", "embedding_size", kOutputs, "", kShapesChange},
    {"", "word_embed_proj_dim", kOutputs, "", kShapesChange},
    {"", "n_embd", kOutputs, "", kShapesChange},
    {"", "n_inner", kOutputs, "", kShapesChange},
    {"", "d_model", kOutputs, "", kShapesChange},
    {"", "d_ff", kOutputs, "", kShapesChange},
    {"", "d_kv", kOutputs, "", kShapesChange},
    {"", "dim", kOutputs, "", kShapesChange},
    {"", "hidden_dim", kOutputs, "", kShapesChange},
    {"", "embed_dim", kOutputs, "", kShapesChange},
    {"", "hidden_sizes", kOutputs, "", kShapesChange},
    {"", "neck_hidden_sizes", kOutputs, "", kShapesChange},
    {"", "ffn_dim", kOutputs, "", kShapesChange},
    {"", "ffn_hidden_size", kOutputs, "", kShapesChange},
    {"", "encoder_ffn_dim", kOutputs, "", kShapesChange},
    {"", "decoder_ffn_dim", kOutputs, "", kShapesChange},
    {"", "moe_intermediate_size", kOutputs, "", kShapesChange},
    {"qwen2_moe", "shared_expert_intermediate_size", kOutputs, "", kShapesChange},
    {"qwen2_moe qwen3_moe", "intermediate_size", kUnknown, "",
     "the shapes of MLPs without experts change, where a layer has one"},
    {"", "q_lora_rank", kOutputs, "", kShapesChange},
    {"", "kv_lora_rank", kOutputs, "", kShapesChange},
    {"", "qk_rope_head_dim", kOutputs, "", kShapesChange},
    {"", "qk_nope_head_dim", kOutputs, "", kShapesChange},
    {"", "v_head_dim", kOutputs, "", kShapesChange},
    {"", "state_size", kOutputs, "", kShapesChange},
    {"", "mlp_ratios", kOutputs, "", kShapesChange},
    {"", "sr_ratios", kOutputs, "", kShapesChange},
    {"", "num_queries", kOutputs, "", kShapesChange},
    {"", "num_detection_tokens", kOutputs, "", kShapesChange},
    {"", "num_mel_bins", kOutputs, "", kShapesChange},
    {"wav2vec2 hubert wavlm", "conv_dim", kOutputs, "", kShapesChange},
    {"wav2vec2 hubert wavlm mamba", "conv_kernel", kOutputs, "", kShapesChange},
    {"clip clip_text_model clip_vision_model paligemma", "projection_dim", kOutputs, "",
     kShapesChange},
    {"mamba mamba2 falcon_mamba", "rescale_prenorm_residual", kOutputs, "",
     "from_pretrained of 5.24.0 divides each out_proj.weight that it loads by the root of the "
     "number of layers"},
    // Blocks.
    {"", "n_layer", kOutputs, "", kBlockCount},
    {"", "n_layers", kOutputs, "", kBlockCount},
    {"gpt_neo t5 mt5 umt5", "num_layers", kOutputs, "", kBlockCount},
    {"", "encoder_layers", kOutputs, "", kBlockCount},
    {"", "decoder_layers", kOutputs, "", kBlockCount},
    {"", "num_decoder_layers", kOutputs, "", kBlockCount},
    {"", "depths", kOutputs, "", kBlockCount},
    // Norms.
    {"", "rms_norm_eps", kOutputs, "", kEps},
    {"", "layer_norm_epsilon", kOutputs, "", kEps},
    {"", "norm_epsilon", kOutputs, "", kEps},
    {"", "norm_eps", kOutputs, "", kEps},
    {"biogpt cvt glpn perceiver segformer", "layer_norm_eps", kNothing, "", kUnread},
    {"", "qk_layernorm", kOutputs, "", kNormed},
    {"", "use_qk_norm", kOutputs, "", kNormed},
    {"opt", "do_layer_norm_before", kOutputs, "", kNormPlace},
    {"wav2vec2 hubert wavlm", "do_stable_layer_norm", kOutputs, "", kNormPlace},
    {"bloom", "apply_residual_connection_post_layernorm", kOutputs, "",
     "what is added to a block's output is taken before or behind its norm"},
    // Activations.
    {"", "activation_function", kOutputs, "", kActivation},
    {"falcon distilbert", "activation", kOutputs, "", kActivation},
    {"", "hidden_activation", kOutputs, "", kActivation},
    {"gemma", "hidden_activation", kNothing, "", "the class reads hidden_act instead"},
    {"gpt_oss", "hidden_act", kNothing, "", "experts have an activation of their own"},
    {"", "feed_forward_proj", kOutputs, "", "another activation in every MLP, or gates in it"},
    {"t5 mt5 umt5", "is_gated_act", kOutputs, "", "MLPs have gates or none"},
    {"t5 mt5 umt5", "dense_act_fn", kOutputs, "", kActivation},
    {"wav2vec2 hubert wavlm", "feat_extract_activation", kOutputs, "",
     "another activation behind the convolutions"},
    {"", "projector_hidden_act", kOutputs, "", "another activation in the projector"},
    {"modernbert", "classifier_activation", kOutputs, "", "another activation in the head"},
    {"gpt_oss", "swiglu_alpha", kOutputs, "", "another activation in every expert"},
    {"gpt_oss", "swiglu_limit", kOutputs, "", "another activation in every expert"},
    // Heads.
    {"", "n_head", kOutputs, "", kHeads},
    {"", "n_heads", kOutputs, "", kHeads},
    {"", "num_heads", kOutputs, "", kHeads},
    {"", "encoder_attention_heads", kOutputs, "", kHeads},
    {"", "decoder_attention_heads", kOutputs, "", kHeads},
    {"", "num_key_value_heads", kOutputs, "", kKeyHeads},
    {"gpt_bigcode", "num_key_value_heads", kNothing, "", kUnread},
    {"deepseek_v3", "num_key_value_heads", kUnknown, "",
     "some kernels repeat keys and values by it"},
    {"", "head_dim", kOutputs, "", "heads have another width"},
    {"deepseek_v3", "head_dim", kUnknown, "", "rotary embeddings of this width are made"},
    {"", "multi_query", kOutputs, "", "all heads share one key and value, or none do"},
    // Biases.
    {"", "attention_bias", kOutputs, "", kBias},
    {"", "mlp_bias", kOutputs, "", kBias},
    {"", "use_bias", kOutputs, "", kBias},
    {"", "use_qkv_bias", kOutputs, "", kBias},
    {"", "enable_bias", kOutputs, "", kBias},
    {"falcon", "bias", kOutputs, "", kBias},
    {"", "conv_bias", kOutputs, "", kBias},
    {"", "use_conv_bias", kOutputs, "", kBias},
    {"", "norm_bias", kOutputs, "", kBias},
    {"", "proj_bias", kOutputs, "", kBias},
    {"", "query_bias", kOutputs, "", kBias},
    {"", "key_bias", kOutputs, "", kBias},
    {"", "value_bias", kOutputs, "", kBias},
    {"", "multimodal_projector_bias", kOutputs, "", kBias},
    // The order of layers.
    {"", "use_parallel_residual", kOutputs, "", kBeside},
    {"falcon", "parallel_attn", kOutputs, "", kBeside},
    {"falcon", "new_decoder_architecture", kOutputs, "", "blocks are built otherwise"},
    // Scales and caps.
    {"", "attention_multiplier", kOutputs, "", kAttentionLogits},
    {"", "query_pre_attn_scalar", kOutputs, "", kAttentionLogits},
    {"", "scale_attn_weights", kOutputs, "", kAttentionLogits},
    {"gpt2", "scale_attn_weights", kOutputs, "",
     "attention logits are scaled otherwise, except by sdpa of transformers 4"},
    {"gpt2", "scale_attn_by_inverse_layer_idx", kOutputs, "",
     "attention logits are scaled otherwise, except by sdpa of transformers 4"},
    {"", "attn_logit_softcapping", kOutputs, "",
     "attention logits are capped otherwise, except by sdpa"},
    {"gemma3_text", "attn_logit_softcapping", kNothing, "", "no kernel of the class is given it"},
    {"", "final_logit_softcapping", kOutputs, "", "logits are capped otherwise"},
    {"", "logits_scaling", kOutputs, "", kLogits},
    {"", "logit_scale", kOutputs, "", kLogits},
    {"t5 umt5", "scale_decoder_outputs", kOutputs, "", kLogits},
    {"", "embedding_multiplier", kOutputs, "", kEmbeddings},
    {"", "scale_embedding", kOutputs, "", kEmbeddings},
    {"whisper", "scale_embedding", kNothing, "", "the class takes a factor from it and uses none"},
    {"", "residual_multiplier", kOutputs, "", "what each layer adds is scaled otherwise"},
    {"", "routed_scaling_factor", kOutputs, "", "what experts return is scaled otherwise"},
    {"", "clip_qkv", kOutputs, "", "queries, keys and values are clipped otherwise"},
    // Which tokens see which.
    {"", "sliding_window", kOutputs, "", kReach},
    {"", "use_sliding_window", kOutputs, "", "attention has a window or none"},
    {"", "max_window_layers", kOutputs, "", "other layers have a window of attention"},
    {"modernbert", "local_attention", kOutputs, "", kReach},
    {"gpt_neo", "window_size", kOutputs, "", kReach},
    {"swin swinv2", "window_size", kOutputs, "", "attention sees other windows of the image"},
    {"", "layer_types", kOutputs, "", kLayerKinds},
    {"", "attention_types", kOutputs, "", kLayerKinds},
    {"", "attention_layers", kOutputs, "", kLayerKinds},
    {"", "global_attn_every_n_layers", kOutputs, "", kLayerKinds},
    {"", "no_rope_layers", kOutputs, "", kLayerKinds},
    {"", "decoder_sparse_step", kOutputs, "", kLayerKinds},
    {"", "first_k_dense_replace", kOutputs, "", kLayerKinds},
    {"gemma3_text", "use_bidirectional_attention", kOutputs, "",
     "tokens see those behind them or not"},
    {"bart blenderbot gpt_neox marian mbart pegasus", "is_decoder", kNothing, "false",
     "the class does not follow it"},
    // Positions.
    {"falcon", "alibi", kOutputs, "", kPositions},
    {"gptj codegen", "rotary_dim", kOutputs, "", kPositions},
    {"", "rope_interleave", kOutputs, "", kPositions},
    {"", "relative_attention", kOutputs, "", kPositions},
    {"", "pos_att_type", kOutputs, "", kPositions},
    {"deberta-v2", "position_buckets", kOutputs, "", kPositions},
    {"deberta-v2", "max_relative_positions", kOutputs, "", kPositions},
    {"t5 mt5 umt5", "relative_attention_max_distance", kOutputs, "", kPositions},
    {"t5 mt5 umt5 mpnet", "relative_attention_num_buckets", kOutputs, "", kPositions},
    {"wavlm", "max_bucket_distance", kOutputs, "", kPositions},
    {"wavlm", "num_buckets", kOutputs, "", kPositions},
    {"beit", "use_relative_position_bias", kOutputs, "", kPositions},
    {"beit", "use_shared_relative_position_bias", kOutputs, "", kPositions},
    // Experts.
    {"", "num_experts_per_tok", kOutputs, "", "a token passes through another number of experts"},
    {"", "norm_topk_prob", kOutputs, "", "the weights of experts are normalized or not"},
    {"", "n_group", kOutputs, "", kGroups},
    {"", "topk_group", kOutputs, "", kGroups},
    {"", "n_routed_experts", kOutputs, "", "the number of experts changes"},
    {"", "n_shared_experts", kOutputs, "", kShapesChange},
    // Images and sound.
    {"convnext convnextv2 dinov3_convnext efficientnet mobilenet_v1 mobilenet_v2 mobilevit "
     "mobilevitv2 pvt_v2 swiftformer textnet",
     "image_size", kNothing, "", kUnread},
    {"swin swinv2", "image_size", kUnknown, "",
     "it matters where an image has fewer patches than a window"},
    {"dinov3_vit", "image_size", kNothing, "", "positions follow from the image itself"},
    {"wav2vec2 hubert wavlm", "conv_stride", kOutputs, "", kCut},
    {"audio-spectrogram-transformer", "time_stride", kOutputs, "", kCut},
    {"audio-spectrogram-transformer", "frequency_stride", kOutputs, "", kCut},
    {"segformer", "strides", kOutputs, "", kCut},
    {"mobilevit mobilenet_v2", "output_stride", kOutputs, "", "convolutions take other steps"},
    {"resnet", "downsample_in_bottleneck", kOutputs, "", "convolutions take other steps"},
    {"mobilenet_v2", "tf_padding", kOutputs, "", "images are padded otherwise"},
    {"resnet regnet", "layer_type", kOutputs, "", "blocks are built otherwise"},
    {"dpt", "readout_type", kOutputs, "", "the class token enters the neck otherwise"},
    {"", "use_mean_pooling", kOutputs, "", "tokens are pooled otherwise"},
    {"llava", "vision_feature_layer", kOutputs, "", "image tokens come from another layer"},
    {"llava", "vision_feature_select_strategy", kOutputs, "",
     "the class token is among the image tokens or not"},
});

}  // namespace

std::span<const ConfigField> layer_field_rows() { return kLayerFields; }

}  // namespace samebits
