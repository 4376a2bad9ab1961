#include "samebits/family/attribute_names.h"

#include <algorithm>
#include <array>

#include "samebits/family/word_list.h"

namespace samebits {
namespace {

constexpr auto kAttributeNames = std::to_array<AttributeName>({
    {"qkv_bias", "attention_bias", "internlm3 molmo2_text"},
    {"use_qkv_bias", "attention_bias", "sarvam_moe"},
    {"attention_probs_dropout_prob", "attention_dropout", "bigbird_pegasus led"},
    {"head_dim", "attention_head_dim", "zamba2"},
    {"num_attention_heads", "attention_heads",
     "kosmos_2_5_text_model kosmos_2_text_model mllama_vision_model xglm"},
    {"audio_token_id", "audio_token_index",
     "granite_speech granite_speech_plus qwen2_5_omni_talker qwen2_5_omni_thinker qwen2_audio"},
    {"boi_token_id", "boi_token_index", "gemma3 llama4 shieldgemma2 t5gemma2_encoder"},
    {"dropout", "classifier_dropout", "ernie_m"},
    {"max_position_embeddings", "context_length", "rwkv"},
    {"sconv_kernel_size", "conv_kernel_size", "inkling2_loop_text inkling2_text inkling_text"},
    {"head_dim", "d_kv", "longt5 mt5 t5 umt5"},
    {"encoder_hidden_dim", "d_model", "omdet-turbo"},
    {"hidden_size", "d_model",
     "autoformer bart bigbird_pegasus blenderbot blenderbot-small conditional_detr d_fine dbrx "
     "deformable_detr deimv2 deta detr fsmt funnel gptsan-japanese grounding-dino informer led "
     "longt5 m2m_100 marian mbart mm-grounding-dino mpt mt5 mvp nllb-moe patchtsmixer patchtst "
     "pegasus pegasus_x plbart pp_doclayout_v2 pp_doclayout_v3 pp_formulanet_text "
     "qwen2_5_omni_audio_encoder qwen3_asr_encoder qwen3_omni_moe_audio_encoder rt_detr "
     "rt_detr_v2 speech_to_text speech_to_text_2 switch_transformers t5 table-transformer "
     "time_series_transformer transfo-xl trocr udop umt5 whisper xglm xlnet"},
    {"num_attention_heads", "decoder_attention_heads", "speech_to_text_2 trocr"},
    {"num_hidden_layers", "decoder_layers", "trocr"},
    {"num_hidden_layers", "depth",
     "cohere_compass_vision ernie4_5_vl_moe_vision exaone4_5_vision glm4v_moe_vision "
     "glm4v_vision glm5_next_vision glm_image_vision glm_ocr_vision pp_ocrv5_mobile_rec "
     "pp_ocrv5_server_rec pp_ocrv6_small_rec pp_ocrv6_tiny_rec qwen2_5_omni_vision_encoder "
     "qwen2_5_vl_vision qwen2_vl_vision qwen3_5_moe_vision qwen3_5_vision "
     "qwen3_omni_moe_vision_encoder qwen3_vl_moe_vision qwen3_vl_vision qwen4_exp_vision"},
    {"hidden_size", "dim", "distilbert"},
    {"hidden_size", "emb_dim", "flaubert xlm"},
    {"hidden_size", "embed_dim",
     "idefics_vision kosmos_2_5_text_model kosmos_2_text_model swin2sr"},
    {"num_attention_heads", "encoder_attention_heads",
     "autoformer bart bigbird_pegasus blenderbot blenderbot-small conditional_detr d_fine "
     "dab-detr deformable_detr deimv2 deta detr fsmt grounding-dino informer led m2m_100 "
     "marian mbart mm-grounding-dino mvp nllb-moe omdet-turbo pegasus pegasus_x plbart "
     "pp_doclayout_v2 pp_doclayout_v3 pp_doclayout_v4 pp_formulanet_text "
     "qwen2_5_omni_audio_encoder qwen3_asr_encoder qwen3_omni_moe_audio_encoder rt_detr "
     "rt_detr_v2 speech_to_text speecht5 table-transformer time_series_transformer whisper"},
    {"num_key_value_heads", "encoder_attention_heads", "whisper"},
    {"intermediate_size", "encoder_ffn_dim",
     "qwen2_5_omni_audio_encoder qwen3_asr_encoder qwen3_omni_moe_audio_encoder"},
    {"num_hidden_layers", "encoder_layers",
     "autoformer fastspeech2_conformer informer pp_formulanet_text qwen2_5_omni_audio_encoder "
     "qwen3_asr_encoder qwen3_omni_moe_audio_encoder speecht5 time_series_transformer"},
    {"num_attention_heads", "encoder_num_attention_heads", "fastspeech2_conformer"},
    {"eoi_token_id", "eoi_token_index", "gemma3 llama4 shieldgemma2 t5gemma2 t5gemma2_encoder"},
    {"attention_head_dim", "head_dim", "hunyuan_vl_text"},
    {"activation_function", "hidden_act", "exaone"},
    {"hidden_size", "hidden_dim",
     "granite_speech_encoder granite_speech_plus_encoder mask2former oneformer"},
    {"d_model", "hidden_size",
     "audioflamingo3_encoder moss_transcribe_diarize_audio pp_doclayout_v4 voxtral_encoder "
     "voxtral_realtime_encoder"},
    {"image_token_id", "image_patch_id", "molmo2"},
    {"video_token_id", "image_patch_id", "molmo2"},
    {"image_token_id", "image_token_index",
     "aria aya_vision blip-2 fast_vlm gemma3 got_ocr2 granite4_vision granitevision "
     "instructblip llama4 llava llava_next llava_next_video llava_onevision minimax_m3_vl "
     "mistral3 mistral_large4 mllama paligemma pp_chart2table qwen2_5_omni_talker "
     "qwen2_5_omni_thinker shieldgemma2 t5gemma2 t5gemma2_encoder video_llava vipllava"},
    {"initializer_range", "init_std", "informer led plbart"},
    {"num_mel_bins", "input_dim", "granite_speech_encoder granite_speech_plus_encoder"},
    {"encoder_ffn_dim", "intermediate_size",
     "audioflamingo3_encoder moss_transcribe_diarize_audio voxtral_encoder "
     "voxtral_realtime_encoder"},
    {"head_dim", "kv_channels", "jetmoe"},
    {"layers_block_type", "layer_types", "granitemoehybrid"},
    {"encoder_layerdrop", "layerdrop",
     "audioflamingo3_encoder voxtral_encoder voxtral_realtime_encoder"},
    {"num_hidden_layers", "layers", "kosmos_2_5_text_model kosmos_2_text_model"},
    {"layer_types", "layers_block_type", "nemotron_h"},
    {"embedding_multiplier", "logits_mup_width_multiplier", "inkling_text"},
    {"hidden_size", "mask_feature_size", "maskformer"},
    {"model_max_length", "max_position_embeddings",
     "inkling2_loop_text inkling2_text inkling_text"},
    {"max_position_embeddings", "max_seq_len", "dbrx"},
    {"codebook_size", "mel_vocab_size", "inkling_audio"},
    {"bias", "mlp_bias", "internlm3"},
    {"max_position_embeddings", "model_max_length", "bailing_hybrid kimi_linear"},
    {"intermediate_size", "moe_intermediate_size", "deepseek_v4 inkling2_loop_text inkling2_text"},
    {"num_experts_per_tok", "moe_k", "ernie4_5_moe ernie4_5_vl_moe_text"},
    {"num_experts", "moe_num_experts", "ernie4_5_moe ernie4_5_vl_moe_text"},
    {"norm_topk_prob", "moe_renormalize", "bailing_hybrid kimi_linear"},
    {"hidden_size", "n_embd",
     "codegen ctrl gpt-sw3 gpt2 gpt_bigcode gptj imagegpt openai-gpt trajectory_transformer"},
    {"num_attention_heads", "n_head",
     "bloom codegen ctrl decision_transformer funnel gpt-sw3 gpt2 gpt_bigcode gptj imagegpt "
     "openai-gpt trajectory_transformer transfo-xl xlnet"},
    {"num_attention_heads", "n_heads", "dbrx distilbert flaubert mpt xlm"},
    {"num_hidden_layers", "n_layer",
     "bloom codegen ctrl decision_transformer gpt-sw3 gpt2 gpt_bigcode gptj imagegpt "
     "openai-gpt trajectory_transformer transfo-xl xlnet"},
    {"num_hidden_layers", "n_layers", "dbrx distilbert flaubert inkling_vision mpt xlm"},
    {"num_codebooks", "n_mel_bins", "inkling_audio"},
    {"max_position_embeddings", "n_positions",
     "codegen ctrl decision_transformer gpt-sw3 gpt2 gpt_bigcode gptj imagegpt openai-gpt"},
    {"moe_num_experts", "n_routed_experts", "step3p5"},
    {"num_experts", "n_routed_experts",
     "deepseek_ocr2_text sarvam_mla sarvam_moe unlimited_ocr_text"},
    {"num_local_experts", "n_routed_experts",
     "axk1 axk2 deepseek_v32 deepseek_v4 dots3_note_text glm4_moe_lite glm5_next_text "
     "glm_moe_dsa hy_v4 hy_v4_vl_text inkling2_loop_text inkling2_text inkling_text "
     "mimo_v2_flash mistral4 mistral_large4_text nemotron_h sarvam_mla sarvam_moe solar_open "
     "step3p5"},
    {"num_shared_experts", "n_shared_experts", "sarvam_mla sarvam_moe"},
    {"rms_norm_eps", "norm_eps", "lfm3"},
    {"attention_heads", "num_attention_heads", "hunyuan_vl_vision hy_v4_vl_vision"},
    {"encoder_attention_heads", "num_attention_heads",
     "audioflamingo3_encoder moss_transcribe_diarize_audio voxtral_encoder "
     "voxtral_realtime_encoder"},
    {"num_key_value_heads", "num_attention_heads", "voxtral_realtime_encoder"},
    {"num_attention_heads", "num_encoder_attention_heads", "prophetnet xlm-prophetnet"},
    {"n_group", "num_expert_group", "bailing_hybrid kimi_linear"},
    {"num_local_experts", "num_experts", "bailing_hybrid hy_v3 kimi_linear"},
    {"moe_top_k", "num_experts_per_tok", "step3p5"},
    {"num_experts_per_tok", "num_experts_per_token", "bailing_hybrid kimi_linear"},
    {"decoder_attention_heads", "num_heads", "pix2struct_text_model"},
    {"encoder_attention_heads", "num_heads", "pix2struct_text_model"},
    {"num_attention_heads", "num_heads",
     "cohere_compass_vision dinat donut-swin ernie4_5_vl_moe_vision exaone4_5_vision "
     "glm4v_moe_vision glm4v_vision glm5_next_vision glm_image_vision glm_ocr_vision gpt_neo "
     "gptsan-japanese granite_speech_encoder granite_speech_plus_encoder longt5 "
     "maskformer-swin mt5 nat pix2struct_text_model qwen2_5_omni_vision_encoder "
     "qwen2_5_vl_vision qwen2_vl_vision qwen3_5_moe_vision qwen3_5_vision "
     "qwen3_omni_moe_vision_encoder qwen3_vl_moe_vision qwen3_vl_vision qwen4_exp_vision swin "
     "swin2sr swinv2 switch_transformers t5 udop umt5"},
    {"encoder_layers", "num_hidden_layers",
     "audioflamingo3_encoder moss_transcribe_diarize_audio voxtral_encoder "
     "voxtral_realtime_encoder"},
    {"num_layers", "num_hidden_layers", "exaone"},
    {"num_attention_groups", "num_key_value_heads", "step3p5"},
    {"num_classes", "num_labels", "ernie_m"},
    {"decoder_layers", "num_layers", "pix2struct_text_model"},
    {"encoder_layers", "num_layers", "pix2struct_text_model"},
    {"num_hidden_layers", "num_layers",
     "dinat donut-swin gpt_neo gptsan-japanese granite_speech_encoder "
     "granite_speech_plus_encoder hiera longt5 maskformer-swin mt5 nat patchtsmixer "
     "pix2struct_text_model sam3_detr_decoder sam3_detr_encoder sam3_lite_text_detr_decoder "
     "sam3_lite_text_detr_encoder swin swin2sr swinv2 switch_transformers t5 udop umt5 xglm"},
    {"num_experts", "num_local_experts",
     "kolibri1 mellum minimax_m2 minimax_m3_vl_text openai_privacy_filter "
     "qwen3_omni_moe_talker_text"},
    {"num_mtp_layers", "num_nextn_predict_layers",
     "bailing_hybrid mellum sarvam_mla sarvam_moe step3p5"},
    {"n_shared_experts", "num_shared_experts", "bailing_hybrid kimi_linear"},
    {"pad_id", "pad_token_id", "hunyuan_vl_text"},
    {"native_patch_size", "patch_size", "inkling2_vision"},
    {"head_dim", "qk_rope_head_dim", "glm4_moe_lite"},
    {"layer_norm_eps", "rms_norm_eps", "hunyuan_vl_vision hy_v4_vl_vision molmo2_text"},
    {"layer_norm_epsilon", "rms_norm_eps", "exaone"},
    {"routed_scaling_factor", "route_scale", "inkling2_loop_text inkling2_text"},
    {"share_expert_dims", "share_expert_dim", "step3p5"},
    {"sliding_window", "sliding_window_size", "inkling2_loop_text inkling2_text inkling_text"},
    {"adapter_merge_size", "spatial_merge_size", "inkling2_vision"},
    {"hidden_size", "text_hidden_size", "inkling_audio"},
    {"video_token_id", "video_token_index",
     "instructblipvideo llava_next_video llava_onevision minimax_m3_vl qwen2_5_omni_talker "
     "qwen2_5_omni_thinker video_llava"},
    {"codebook_size", "vocab_size", "csm_depth_decoder_model"},
    {"n_token", "vocab_size", "transfo-xl xlnet"},
    {"n_words", "vocab_size", "flaubert xlm"},
    {"org_vocab_size", "vocab_size", "hunyuan_vl_text"},
});

constexpr std::string_view kHyphenatedTypes =
    "audio-spectrogram-transformer bert-generation blenderbot-small blip-2 dab-detr "
    "data2vec-audio data2vec-text data2vec-vision deberta-v2 donut-swin encoder-decoder "
    "gptsan-japanese grounding-dino kosmos-2 lfm2-vl maskformer-swin megatron-bert mgp-str "
    "mm-grounding-dino modernbert-decoder nllb-moe omdet-turbo open-llama openai-gpt "
    "roberta-prelayernorm sew-d speech-encoder-decoder table-transformer transfo-xl "
    "unispeech-sat vision-encoder-decoder vision-text-dual-encoder vit-hybrid wav2vec2-bert "
    "wav2vec2-conformer xlm-prophetnet xlm-roberta xlm-roberta-xl";

}  // namespace

std::string usual_type(std::string model_type) {
  if (model_type.find('_') == std::string::npos) return model_type;
  std::string hyphenated = model_type;
  std::ranges::replace(hyphenated, '_', '-');
  return lists_word(kHyphenatedTypes, hyphenated) ? hyphenated : model_type;
}

std::span<const AttributeName> attribute_name_rows() { return kAttributeNames; }

std::string_view usual_name(std::string_view own, std::string_view model_type) {
  for (const AttributeName& row : kAttributeNames) {
    if (row.name == own && lists_word(row.types, model_type)) return row.alias;
  }
  return "";
}

}  // namespace samebits
