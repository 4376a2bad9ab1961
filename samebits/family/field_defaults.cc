#include <array>

#include "samebits/family/class_defaults.h"

namespace samebits {
namespace {

constexpr auto kFieldDefaults = std::to_array<ClassDefault>({
    {"rms_norm_eps", "1e-06",
     "aria_text axk1 axk2 bailing_hybrid beam code_llama deepseek_ocr2_encoder "
     "deepseek_ocr2_text deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 diffusion_gemma_text "
     "doge dots1 embedding_gemma2_text ernie4_5_vl_moe_vision flex_olmo flint gemma gemma2 "
     "gemma3_text gemma3n_audio gemma3n_text gemma3n_vision gemma4_audio gemma4_text "
     "gemma4_unified_audio gemma4_unified_text gemma4_unified_vision gemma4_vision granite "
     "granite4_vision_text granitemoe granitemoe_swa granitemoehybrid granitemoeshared "
     "hrm_text hyperclovax idefics idefics2_perceiver inkling2_loop_text inkling2_text "
     "inkling_audio inkling_text inkling_vision jamba jetmoe kolibri1 laguna lara_mini llama "
     "mellum minimax_m2 minimax_m3_vl_text ministral mistral mistral4 molmo2_text "
     "muse_spark_audio nanochat neucodec olmo_hybrid open-llama qwen2 qwen2_5_omni_talker "
     "qwen2_5_omni_text qwen2_moe qwen3 qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next "
     "qwen3_omni_moe_talker_code_predictor qwen3_omni_moe_talker_text qwen3_omni_moe_text "
     "qwen3_vl_moe_text qwen3_vl_text qwen4_exp_text recurrent_gemma sapiens2 sarvam_mla "
     "sarvam_moe seed_oss smollm3 t5_gemma_module t5gemma2_decoder t5gemma2_text timesfm "
     "timesfm2_5 ultrabert unlimited_ocr_text vaultgemma voxtral_realtime_text xcodec2 youtu"},
    {"rms_norm_eps", "1e-05",
     "EvollaModel afmoe aimv2_text_model aimv2_vision_model apertus apertus1p5_text arcee "
     "bamba bitnet blt_global_transformer blt_local_decoder blt_local_encoder blt_patcher "
     "chameleon cosmos3_edge_text csm csm_depth_decoder_model cwm diffllama dots3_note_text "
     "dots3_note_vision_encoder emu3_text_model ernie4_5 ernie4_5_moe ernie4_5_vl_moe_text "
     "eurobert evolla exaone exaone4 exaone_moe falcon_h1 glm4_moe glm4_moe_lite "
     "glm4v_moe_text glm4v_moe_vision glm4v_text glm4v_vision glm5_next_text glm5_next_vision "
     "glm_image_text glm_moe_dsa glm_ocr_text glm_ocr_vision gpt_oss granite_docling_text "
     "granite_swa higgs_audio_v2 hunyuan_v1_dense hunyuan_v1_moe hunyuan_vl_text "
     "hunyuan_vl_vision hy_v3 hy_v4 hy_v4_vl_text hy_v4_vl_vision internlm3 iquestcoder "
     "kimi_linear llama4_text longcat_flash mimo_v2_flash minicpm3 minimax ministral3 "
     "mistral_large4_text mixtral mllama_text_model muse_glimmer_assistant muse_glimmer_text "
     "muse_spark_text olmo2 olmo3 olmoe openai_privacy_filter ovis2_vision paddleocr_vl_text "
     "pe_audio_encoder pe_audio_video_encoder pe_video_encoder phi3 phi4_multimodal phimoe "
     "qwen2_5_vl_text qwen2_vl_text solar_open step3p5 vibevoice_acoustic_tokenizer "
     "vibevoice_acoustic_tokenizer_decoder vibevoice_acoustic_tokenizer_encoder "
     "vibevoice_diffusion voxtral_realtime_encoder zamba zamba2 zaya"},
    {"rms_norm_eps", "1e-08", "helium kyutai_speech_to_text moshi moshi_depth"},
    {"rms_norm_eps", "1.5625e-07", "glm glm4"},
    {"rms_norm_eps", "null", "cohere2_moe"},
    {"layer_norm_epsilon", "1e-05",
     "bloom clvp_decoder codegen decision_transformer falcon falcon_mamba gpt-sw3 gpt2 "
     "gpt_bigcode gpt_neo gptj gptsan-japanese imagegpt mamba mamba2 mpt nemotron_h openai-gpt "
     "rwkv transfo-xl"},
    {"layer_norm_epsilon", "1e-06",
     "ctrl longt5 mt5 pix2struct_text_model pop2piano switch_transformers t5 udop umt5"},
    {"norm_epsilon", "1e-05", "starcoder2"},
    {"norm_eps", "1e-05",
     "dia dia_decoder dia_encoder lfm2 lfm2_moe lfm3 lfm3_vl_vision llama4_vision_model mimi "
     "mimi_decoder mimi_encoder mllama_vision_model modernbert modernbert-decoder nemotron "
     "patchtsmixer patchtst pocket_tts_audio_tokenizer pocket_tts_audio_tokenizer_decoder "
     "pocket_tts_audio_tokenizer_encoder"},
    {"norm_eps", "1e-06", "neomme wavtokenizer wavtokenizer_encoder xlstm"},
    {"layer_norm_eps", "1e-05",
     "altclip_text_model altclip_vision_model blip_vision_model bridgetower "
     "bridgetower_text_model bridgetower_vision_model chinese_clip_vision_model "
     "clap_audio_model clip_text_model clip_vision_model clipseg_text_model "
     "clipseg_vision_model clvp_encoder cohere cohere2 cohere2_moe cohere_compass_text d_fine "
     "data2vec-audio deimv2 dinat dinov3_vit donut-swin ernie_m focalnet fun_asr_nano_encoder "
     "git_vision_model gpt_neox gpt_neox_japanese gradium_phonon_tts grounding-dino "
     "groupvit_text_model groupvit_vision_model hubert idefics_vision inkling2_vision jais2 "
     "jina_embeddings_v3 kosmos_2_5_text_model kosmos_2_text_model kosmos_2_vision_model "
     "layoutlmv3 maskformer-swin mctct metaclip_2_text_model metaclip_2_vision_model mgp-str "
     "minimax_m3_vl_vision mlcd mlcd_vision_model mm-grounding-dino mobilevit mobilevitv2 mra "
     "muse_glimmer_vision muse_spark_vision nat nystromformer omdet-turbo omniasr_audio "
     "oneformer owlv2_text_model owlv2_vision_model owlvit_text_model owlvit_vision_model "
     "persimmon phi pocket_tts pp_doclayout_v2 pp_doclayout_v3 pp_doclayout_v4 rf_detr rt_detr "
     "rt_detr_v2 sam3_lite_text_text_model seamless_m4t seamless_m4t_v2 sew speecht5 stablelm "
     "step3p5_vision swin swin2sr swinv2 tipsv2_text_model unispeech unispeech-sat "
     "unlimited_ocr_vision_encoder vits wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm "
     "xclip_text_model xclip_vision_model xlm-roberta-xl"},
    {"layer_norm_eps", "1e-06",
     "blip_2_vision_model cosmos3_edge_vision deepseek_ocr2_sam_vision_model dinov2 "
     "dinov2_with_registers dinov3_convnext edgetam_prompt_encoder "
     "edgetam_video_prompt_encoder edgetam_vision_model eomt eomt_dinov3 glm_image_vision glpn "
     "got_ocr2_vision granite_docling_vision hiera idefics2_vision idefics3_vision "
     "instructblip_vision_model instructblipvideo_vision_model internvl_vision "
     "janus_vision_model kosmos_2_5_vision_model lasr_encoder lw_detr_vit minicpm_ocr_vision "
     "minicpmv4_6_vision minicpmv4_7_vision molmo2_vision paddleocr_vl_vision "
     "phi4_multimodal_vision pix2struct_vision_model pixio pp_chart2table_vision "
     "pp_formulanet_vision pp_ocrv5_mobile_rec pp_ocrv5_server_rec pp_ocrv6_small_rec pvt "
     "pvt_v2 qianfan_ocr_vision radio rf_detr_dinov2 sam2_hiera_det_model sam2_prompt_encoder "
     "sam2_video_prompt_encoder sam2_vision_model sam3_detr_decoder sam3_detr_encoder "
     "sam3_geometry_encoder sam3_lite_text_detr_decoder sam3_lite_text_detr_encoder "
     "sam3_lite_text_geometry_encoder sam3_lite_text_mask_decoder sam3_mask_decoder "
     "sam3_tracker_prompt_encoder sam3_tracker_video_prompt_encoder sam3_vision_model "
     "sam3_vit_model sam_hq_mask_decoder sam_hq_prompt_encoder sam_hq_vision_model "
     "sam_mask_decoder sam_prompt_encoder sam_vision_model segformer seggpt siglip2_text_model "
     "siglip2_vision_model siglip_text_model siglip_vision_model slanext_vision smolvlm_vision "
     "timesformer tipsv2_vision_model tvlt unlimited_ocr_sam_vision_model van "
     "video_llama_3_vision videomt videoprism_text_model videoprism_vision_model vit_msn "
     "vitdet vivit vjepa2"},
    {"layer_norm_eps", "1e-12",
     "albert align_text_model audio-spectrogram-transformer beit bert bert-generation big_bird "
     "biogpt blip_2_qformer blip_text_model bros camembert canine chinese_clip_text_model "
     "clap_text_model convbert convnext convnextv2 cvt data2vec-text data2vec-vision deit dpr "
     "dpt efficientformer electra ernie esm flaubert flava flava_image_model "
     "flava_multimodal_model flava_text_model fnet git gte ibert ijepa instructblip_qformer "
     "instructblipvideo_qformer layoutlm layoutlmv2 layoutxlm lilt longformer luke markuplm "
     "megatron-bert mobilebert mpnet nezha nomic_bert perceiver qdqbert realm reformer rembert "
     "retribert roberta roberta-prelayernorm roc_bert roformer splinter squeezebert tapas "
     "trajectory_transformer tvp videomae vilt visual_bert vit vit_hybrid vit_mae "
     "vitpose_backbone xlm xlm-roberta xlnet xmod yolos yoso"},
    {"layer_norm_eps", "1e-07", "deberta deberta-v2 sew-d"},
    {"layer_norm_eps", "0.001", "mobilenet_v1 mobilenet_v2"},
    {"layer_norm_eps", "1e-09", "funnel"},
    {"activation_function", "\"gelu\"",
     "audioflamingo3_encoder autoformer bart blenderbot blenderbot-small florence_vision "
     "informer kosmos_2_5_text_model kosmos_2_text_model led marian mbart "
     "moss_transcribe_diarize_audio musicgen_decoder musicgen_melody_decoder mvp patchtst "
     "pegasus pegasus_x plbart pp_formulanet_text prophetnet qwen2_5_omni_audio_encoder "
     "qwen2_audio_encoder qwen3_asr_encoder qwen3_omni_moe_audio_encoder "
     "time_series_transformer trocr voxtral_encoder voxtral_realtime_encoder whisper xglm "
     "xlm-prophetnet"},
    {"activation_function", "\"relu\"",
     "conditional_detr decision_transformer deformable_detr deta detr efficientloftr fsmt "
     "grounding-dino m2m_100 mask2former mm-grounding-dino nllb-moe opt seamless_m4t "
     "seamless_m4t_v2 speech_to_text speech_to_text_2 table-transformer"},
    {"activation_function", "\"silu\"",
     "d_fine deimv2 jetmoe lw_detr pp_doclayout_v2 pp_doclayout_v3 pp_doclayout_v4 rf_detr "
     "rt_detr rt_detr_v2"},
    {"activation_function", "\"gelu_new\"",
     "bigbird_pegasus clvp_decoder codegen gpt-sw3 gpt2 gpt_neo gptj"},
    {"activation_function", "\"prelu\"", "dab-detr"},
    {"activation_function", "\"gelu_pytorch_tanh\"", "gpt_bigcode"},
    {"activation_function", "\"quick_gelu\"", "imagegpt"},
    {"activation", "\"gelu\"", "distilbert falcon"},
    {"activation", "\"swish\"", "phi4_multimodal_audio timesfm2_5"},
    {"activation", "\"silu\"", "mega"},
    {"hidden_activation", "\"gelu_pytorch_tanh\"",
     "diffusion_gemma_text embedding_gemma2_text gemma2 gemma3_text gemma3n_text gemma4_text "
     "gemma4_unified_text gemma4_vision recurrent_gemma t5_gemma_module t5gemma2_decoder "
     "t5gemma2_text vaultgemma"},
    {"hidden_activation", "\"gelu\"", "modernbert modernbert-decoder"},
    {"hidden_activation", "\"silu\"", "muse_glimmer_text"},
    {"feed_forward_proj", "\"relu\"", "longt5 t5 udop"},
    {"feed_forward_proj", "\"gated-gelu\"", "mt5 pop2piano umt5"},
    {"projector_hidden_act", "\"gelu\"",
     "audioflamingo3 fast_vlm glmasr granitevision internvl lfm2_vl lfm3_vl llava llava_next "
     "llava_next_video llava_onevision mistral3 mistral_large4 muse_glimmer muse_spark "
     "musicflamingo qianfan_ocr video_llava vipllava voxtral voxtral_realtime"},
    {"projector_hidden_act", "\"silu\"", "moss_transcribe_diarize"},
    {"feat_extract_activation", "\"gelu\"",
     "data2vec-audio hubert sew sew-d speecht5 unispeech unispeech-sat wav2vec2 "
     "wav2vec2-conformer wavlm"},
    {"attention_multiplier", "1.0",
     "granite granite4_vision_text granite_swa granitemoe granitemoe_swa granitemoehybrid "
     "granitemoeshared"},
    {"attention_multiplier", "0.015625", "granite_docling_text"},
    {"embedding_multiplier", "1.0",
     "falcon_h1 granite granite4_vision_text granite_swa granitemoe granitemoe_swa "
     "granitemoehybrid granitemoeshared hyperclovax"},
    {"embedding_multiplier", "12.0", "granite_docling_text"},
    {"residual_multiplier", "1.0",
     "granite granite4_vision_text granite_swa granitemoe granitemoe_swa granitemoehybrid "
     "granitemoeshared hyperclovax"},
    {"residual_multiplier", "0.263", "granite_docling_text"},
    {"logits_scaling", "1.0",
     "granite granite4_vision_text granite_swa granitemoe granitemoe_swa granitemoehybrid "
     "granitemoeshared hyperclovax"},
    {"logits_scaling", "4.0", "granite_docling_text"},
    {"logit_scale", "0.0625", "cohere cohere2 cohere2_moe"},
    {"logit_scale", "null", "cohere_compass_text mpt"},
    {"query_pre_attn_scalar", "256",
     "gemma2 gemma3_text t5_gemma_module t5gemma2_decoder t5gemma2_text vaultgemma"},
    {"routed_scaling_factor", "1.0",
     "deepseek_ocr2_text deepseek_v2 dots1 dots3_note_text glm4_moe glm4v_moe_text lfm2_moe "
     "mistral4 mistral_large4_text muse_spark_text nemotron_h solar_open unlimited_ocr_text"},
    {"routed_scaling_factor", "2.5",
     "axk1 axk2 bailing_hybrid beam deepseek_v3 deepseek_v32 exaone_moe glm5_next_text "
     "glm_moe_dsa sarvam_mla sarvam_moe"},
    {"routed_scaling_factor", "2.827", "hy_v4 hy_v4_vl_text"},
    {"routed_scaling_factor", "1.5", "deepseek_v4"},
    {"routed_scaling_factor", "1.8", "glm4_moe_lite"},
    {"routed_scaling_factor", "2.446", "kimi_linear"},
    {"routed_scaling_factor", "6.0", "longcat_flash"},
    {"routed_scaling_factor", "2.0", "minimax_m3_vl_text"},
    {"final_logit_softcapping", "30.0",
     "beam gemma2 gemma3n_text inkling2_loop_text inkling2_text mistral_large4_text "
     "t5_gemma_module vaultgemma"},
    {"final_logit_softcapping", "null",
     "gemma3_text gemma4_text gemma4_unified_text t5gemma2_decoder t5gemma2_text"},
    {"final_logit_softcapping", "20.0", "muse_glimmer_text muse_spark_text"},
    {"final_logit_softcapping", "15.0", "nanochat"},
    {"attn_logit_softcapping", "50.0",
     "gemma2 t5_gemma_module vaultgemma videoprism_text_model videoprism_vision_model"},
    {"attn_logit_softcapping", "null", "gemma3_text t5gemma2_decoder t5gemma2_text"},
    {"scale_embedding", "false",
     "audioflamingo3_encoder bart blenderbot blenderbot-small marian mbart musicgen_decoder "
     "musicgen_melody_decoder mvp pegasus qwen2_5_omni_audio_encoder qwen2_audio_encoder "
     "qwen3_asr_encoder qwen3_omni_moe_audio_encoder speecht5 trocr voxtral_encoder whisper"},
    {"scale_embedding", "true",
     "bigbird_pegasus biogpt fsmt kosmos_2_5_text_model kosmos_2_text_model m2m_100 nllb-moe "
     "pegasus_x plbart pp_formulanet_text seamless_m4t seamless_m4t_v2 speech_to_text "
     "speech_to_text_2 xglm"},
    {"clip_qkv", "null", "olmo olmoe"},
    {"sliding_window", "null",
     "blt_local_encoder doge minimax ministral3 mixtral nemotron_h phi3 phi4_multimodal phimoe "
     "qwen3_omni_moe_talker_code_predictor qwen3_omni_moe_talker_text qwen3_omni_moe_text "
     "smollm3 starcoder2 step3p5 zaya"},
    {"sliding_window", "4096",
     "cohere2 cohere2_moe cohere_compass_text dots1 exaone4 exaone_moe gemma2 ministral "
     "mistral olmo3 t5_gemma_module t5gemma2_decoder t5gemma2_text vaultgemma "
     "voxtral_realtime_text"},
    {"sliding_window", "512",
     "beam blt_patcher diffusion_gemma_text embedding_gemma2_text gemma3n_text gemma4_text "
     "laguna lara_mini"},
    {"sliding_window", "128",
     "deepseek_v4 esmfold2 gpt_oss granite_swa granitemoe_swa openai_privacy_filter ultrabert "
     "unlimited_ocr_text"},
    {"sliding_window", "250",
     "mimi mimi_decoder mimi_encoder pocket_tts_audio_tokenizer "
     "pocket_tts_audio_tokenizer_decoder pocket_tts_audio_tokenizer_encoder"},
    {"sliding_window", "1024", "afmoe dory gemma4_unified_text mellum"},
    {"sliding_window", "2048", "muse_glimmer_assistant muse_glimmer_text muse_spark_text"},
    {"sliding_window", "513", "flint kolibri1"},
    {"sliding_window", "256", "lfm3 neomme"},
    {"sliding_window", "8192", "cwm"},
    {"sliding_window", "375", "kyutai_speech_to_text"},
    {"sliding_window", "129", "mimo_v2_flash"},
    {"sliding_window", "3000", "moshi"},
    {"sliding_window", "8", "moshi_depth"},
    {"sliding_window", "71", "nemotron_asr_streaming_encoder"},
    {"sliding_window", "750", "voxtral_realtime_encoder"},
    {"use_sliding_window", "false",
     "deepseek_ocr2_encoder qwen2 qwen2_5_omni_talker qwen2_5_omni_text qwen2_5_vl_text "
     "qwen2_moe qwen2_vl_text qwen3 qwen3_moe smollm3"},
    {"norm_topk_prob", "true",
     "axk1 axk2 beam cohere2_moe deepseek_v3 deepseek_v32 deepseek_v4 dots3_note_text "
     "exaone_moe flint glm4_moe glm4_moe_lite glm4v_moe_text glm5_next_text glm_moe_dsa hy_v4 "
     "hy_v4_vl_text lara_mini lfm2_moe mellum mimo_v2_flash mistral4 nemotron_h qwen3_next "
     "qwen3_omni_moe_text qwen4_exp_text sarvam_mla sarvam_moe solar_open"},
    {"norm_topk_prob", "false",
     "deepseek_v2 doge dots1 flex_olmo kolibri1 olmoe qwen2_moe qwen3_moe "
     "qwen3_omni_moe_talker_text"},
    {"n_group", "1",
     "dots1 dots3_note_text exaone_moe glm4_moe glm4_moe_lite glm4v_moe_text glm5_next_text "
     "glm_moe_dsa hy_v4 hy_v4_vl_text mimo_v2_flash mistral4 mistral_large4_text nemotron_h "
     "sarvam_mla sarvam_moe solar_open unlimited_ocr_text"},
    {"n_group", "8", "axk1 beam deepseek_v3 deepseek_v32"},
    {"n_group", "null", "axk2 deepseek_ocr2_text deepseek_v2"},
    {"topk_group", "1",
     "dots1 dots3_note_text exaone_moe glm4_moe glm4_moe_lite glm4v_moe_text glm5_next_text "
     "glm_moe_dsa hy_v4 hy_v4_vl_text kimi_linear mimo_v2_flash mistral4 mistral_large4_text "
     "nemotron_h sarvam_mla sarvam_moe solar_open unlimited_ocr_text"},
    {"topk_group", "4", "axk1 bailing_hybrid beam deepseek_v3 deepseek_v32"},
    {"topk_group", "null", "axk2 deepseek_ocr2_text deepseek_v2"},
    {"num_experts_per_tok", "8",
     "axk1 axk2 beam deepseek_v3 deepseek_v32 dots3_note_text exaone_moe glm4_moe "
     "glm4v_moe_text glm5_next_text glm_moe_dsa hy_v3 hy_v4 hy_v4_vl_text inkling2_loop_text "
     "inkling2_text laguna mellum mimo_v2_flash minimax_m2 muse_spark_text olmoe "
     "qwen3_5_moe_text qwen3_moe qwen3_omni_moe_talker_text qwen3_omni_moe_text sarvam_mla "
     "solar_open step3p5"},
    {"num_experts_per_tok", "2",
     "cohere2_moe granitemoe granitemoe_swa granitemoehybrid granitemoeshared jamba jetmoe "
     "minimax mixtral nemotron_h phimoe"},
    {"num_experts_per_tok", "4",
     "glm4_moe_lite gpt_oss lara_mini lfm2_moe minimax_m3_vl_text mistral4 mistral_large4_text "
     "openai_privacy_filter qwen2_moe qwen3_vl_moe_text"},
    {"num_experts_per_tok", "6",
     "afmoe deepseek_v4 flint inkling_text kolibri1 sarvam_moe unlimited_ocr_text"},
    {"num_experts_per_tok", "null", "deepseek_ocr2_text deepseek_v2 dots1"},
    {"num_experts_per_tok", "1", "llama4_text zaya"},
    {"num_experts_per_tok", "10", "qwen3_next qwen4_exp_text"},
    {"num_experts_per_tok", "64", "doge"},
    {"num_experts_per_tok", "5", "flex_olmo"},
    {"attention_bias", "false",
     "EvollaModel afmoe apertus apertus1p5_text arcee aria_text axk1 axk2 bailing_hybrid bamba "
     "beam bitnet chameleon code_llama cohere cohere2 cohere2_moe cohere_compass_text "
     "cosmos3_edge_text csm csm_depth_decoder_model deepseek_ocr2_text deepseek_v2 deepseek_v3 "
     "deepseek_v32 deepseek_v4 diffllama diffusion_gemma_text doge dory dots1 dots3_note_text "
     "dots3_note_vision_encoder efficientloftr embedding_gemma2_text esmc eurobert evolla "
     "exaone falcon_h1 flex_olmo flint gemma gemma2 gemma3_text gemma3n_text gemma4_text "
     "gemma4_unified_text gemma4_vision glm4_moe glm4_moe_lite glm4v_moe_vision glm4v_vision "
     "glm5_next_text glm_moe_dsa gradium_phonon_tts granite granite4_vision_text "
     "granite_docling_text granite_swa granitemoe granitemoe_swa granitemoehybrid "
     "granitemoeshared helium higgs_audio_v2 hrm_text hunyuan_v1_dense hunyuan_v1_moe "
     "hunyuan_vl_text hy_v3 hy_v4 hy_v4_vl_text hyperclovax internlm3 internvl_vision "
     "iquestcoder kimi_linear laguna lara_mini lasr_encoder lfm3 llama longcat_flash mellum "
     "mimi mimi_decoder mimi_encoder mimo_v2_flash minicpm3 mistral4 mistral_large4_text "
     "modernbert modernbert-decoder molmo2_text moonshine moonshine_streaming "
     "moonshine_streaming_encoder muse_glimmer_text muse_spark_text nanochat nemotron "
     "nemotron_h neomme neucodec olmo olmo2 olmo3 olmo_hybrid olmoe pe_audio_encoder "
     "pe_audio_video_encoder pe_video_encoder phimoe pocket_tts pocket_tts_audio_tokenizer "
     "pocket_tts_audio_tokenizer_decoder pocket_tts_audio_tokenizer_encoder qwen3 "
     "qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next qwen3_omni_moe_talker_code_predictor "
     "qwen3_omni_moe_talker_text qwen3_omni_moe_text qwen3_vl_moe_text qwen3_vl_text "
     "qwen4_exp_text recurrent_gemma sarvam_mla sarvam_moe smollm3 solar_open step3p5 "
     "t5_gemma_module t5gemma2_decoder t5gemma2_text timesfm2_5 ultrabert unlimited_ocr_text "
     "vaultgemma xcodec2 youtu zaya"},
    {"attention_bias", "true",
     "canary_decoder cohere_asr dots3_note_audio_encoder glm glm4 glm4v_moe_text "
     "glm5_next_vision glm_image_text glm_image_vision glm_ocr_vision gpt_neox gpt_oss "
     "granite_speech5_encoder jais2 janus_vision_model lightglue lw_detr molmo2_adapter "
     "molmo2_vision nemotron_asr_streaming_encoder openai_privacy_filter parakeet_encoder "
     "qianfan_ocr_vision rf_detr seed_oss"},
    {"mlp_bias", "false",
     "EvollaModel aimv2_text_model aimv2_vision_model arcee aria_text bamba chameleon "
     "code_llama cosmos3_edge_text csm csm_depth_decoder_model cwm deepseek_ocr2_text "
     "deepseek_v2 deepseek_v32 deepseek_v4 doge dory dots3_note_text dots3_note_vision_encoder "
     "esmc eurobert evolla exaone falcon_h1 glm_moe_dsa granite granite4_vision_text "
     "granite_docling_text granite_swa helium higgs_audio_v2 hrm_text hy_v3 hyperclovax "
     "internlm3 iquestcoder llama minicpm3 modernbert modernbert-decoder molmo2_adapter "
     "nemotron nemotron_h neomme ovis2_vision seed_oss smollm3 step3p5 ultrabert "
     "unlimited_ocr_text vibevoice_diffusion"},
    {"mlp_bias", "true", "dinov3_vit eomt_dinov3 jais2 sapiens2"},
    {"use_bias", "false",
     "bigbird_pegasus ernie4_5 ernie4_5_moe ernie4_5_vl_moe_text falcon_mamba mamba mamba2 "
     "nemotron_h paddleocr_vl_text timesfm2_5 xlstm"},
    {"use_bias", "true", "big_bird starcoder2 vits"},
    {"use_qkv_bias", "false", "stablelm"},
    {"rope_interleave", "true", "axk1 deepseek_v3 glm4_moe_lite mistral4 sarvam_mla youtu"},
    {"alibi", "false", "falcon"},
    {"use_parallel_residual", "true", "gpt_neox"},
    {"use_parallel_residual", "false", "stablelm"},
    {"parallel_attn", "true", "falcon"},
    {"new_decoder_architecture", "false", "falcon"},
    {"multi_query", "true", "falcon gpt_bigcode"},
    {"scale_attn_weights", "true", "decision_transformer gpt-sw3 gpt2 gpt_bigcode imagegpt"},
    {"scale_attn_by_inverse_layer_idx", "false", "decision_transformer gpt-sw3 gpt2 imagegpt"},
    {"apply_residual_connection_post_layernorm", "false", "bloom"},
    {"do_layer_norm_before", "true", "opt"},
    {"enable_bias", "true", "opt"},
    {"qk_layernorm", "false", "phi stablelm"},
    {"qk_layernorm", "true", "persimmon"},
    {"use_qk_norm", "false",
     "cohere glm4_moe internvl_vision janus_vision_model qianfan_ocr_vision"},
    {"use_qk_norm", "true", "llama4_text sapiens2 sarvam_moe"},
    {"head_dim", "128",
     "afmoe beam canary_decoder cohere2_moe cosmos3_edge_text cwm dia_decoder dia_encoder "
     "flint glm glm4 helium hrm_text hy_v3 inkling2_loop_text inkling2_text inkling_text "
     "kolibri1 laguna lara_mini lfm3 mellum minimax_m2 minimax_m3_vl_text ministral3 "
     "molmo2_text muse_glimmer_assistant muse_glimmer_text nemotron_h pe_audio_encoder "
     "pe_audio_video_encoder pe_video_encoder qwen2_5_omni_talker qwen3 "
     "qwen3_omni_moe_talker_code_predictor qwen3_vl_text solar_open step3p5 zaya"},
    {"head_dim", "256",
     "diffusion_gemma_text dory dots3_note_text embedding_gemma2_text gemma gemma2 gemma3_text "
     "gemma3n_text gemma4_text gemma4_unified_text qwen3_5_moe_text qwen3_5_text qwen3_next "
     "qwen4_exp_text t5_gemma_module t5gemma2_decoder t5gemma2_text vaultgemma"},
    {"head_dim", "64",
     "gemma4_vision hy_v4_vl_text kosmos_2_5_vision_model longcat_flash mamba2 muse_spark_text "
     "neomme neucodec openai_privacy_filter qwen2_5_omni_dit sarvam_moe "
     "voxtral_realtime_encoder xcodec2"},
    {"head_dim", "72", "molmo2_adapter molmo2_vision"},
    {"head_dim", "80", "timesfm timesfm2_5"},
    {"head_dim", "512", "deepseek_v4"},
    {"head_dim", "0", "glm5_next_text"},
    {"head_dim", "192", "mimo_v2_flash"},
    {"do_stable_layer_norm", "false", "hubert unispeech unispeech-sat wav2vec2 wavlm"},
    {"vision_feature_layer", "-1",
     "aria aya_vision fast_vlm internvl llava_onevision mistral3 mistral_large4 qianfan_ocr"},
    {"vision_feature_layer", "-2",
     "granite4_vision granitevision llava llava_next llava_next_video video_llava"},
    {"vision_feature_select_strategy", "\"default\"",
     "granite4_vision granitevision internvl llama4_vision_model llava llava_next "
     "llava_next_video qianfan_ocr video_llava"},
    {"vision_feature_select_strategy", "\"full\"", "aya_vision fast_vlm llava_onevision"},
    {"multimodal_projector_bias", "true",
     "fast_vlm granitevision llava llava_next llava_next_video llava_onevision video_llava"},
    {"multimodal_projector_bias", "false", "mistral3 mistral_large4"},
    {"max_window_layers", "28",
     "deepseek_ocr2_encoder qwen2 qwen2_5_omni_talker qwen2_5_omni_text qwen2_moe qwen3 "
     "qwen3_omni_moe_talker_code_predictor"},
    {"max_window_layers", "80", "qwen2_5_vl_text qwen2_vl_text"},
    {"max_window_layers", "62", "dots1"},
    {"rotary_dim", "64", "codegen gptj minimax_m3_vl_text"},
    {"relative_attention_max_distance", "128",
     "longt5 mt5 pix2struct_text_model pix2struct_vision_model pop2piano switch_transformers "
     "t5 udop umt5"},
    {"decoder_sparse_step", "1",
     "flint qwen2_moe qwen3_moe qwen3_next qwen3_omni_moe_talker_text qwen3_omni_moe_text "
     "qwen3_vl_moe_text"},
    {"decoder_sparse_step", "4", "nllb-moe"},
    {"first_k_dense_replace", "1",
     "exaone_moe glm4_moe glm4v_moe_text mistral_large4_text sarvam_mla sarvam_moe"},
    {"first_k_dense_replace", "0", "deepseek_v2 dots1 mistral4"},
    {"first_k_dense_replace", "3", "deepseek_v3 deepseek_v32 glm_moe_dsa"},
    {"first_k_dense_replace", "2", "bailing_hybrid"},
    {"conv_bias", "false",
     "data2vec-audio hubert lfm2 lfm2_moe lfm3 sew sew-d speecht5 unispeech unispeech-sat "
     "wav2vec2 wav2vec2-conformer wavlm"},
    {"conv_bias", "true", "omniasr_audio"},
    {"use_mean_pooling", "true",
     "beit data2vec-vision internvl_vision qianfan_ocr_vision videomae"},
    {"use_mean_pooling", "false", "tvlt"},
});

constexpr auto kDerivedDefaults = std::to_array<DerivedDefault>({
    {"num_key_value_heads", "num_attention_heads", 1,
     "afmoe apertus apertus1p5_text arcee aria_text blt_global_transformer blt_local_decoder "
     "blt_local_encoder blt_patcher code_llama cohere cohere2 cohere2_moe cohere_asr "
     "cohere_compass_text deepseek_ocr2_text deepseek_v2 diffllama doge dots3_note_audio_encoder "
     "efficientloftr esmc eurobert flex_olmo glmasr_encoder gradium_phonon_tts granite "
     "granite4_vision_text granite_speech5_encoder granitemoe granitemoe_swa granitemoehybrid "
     "granitemoeshared hunyuan_v1_dense hunyuan_v1_moe hunyuan_vl_text hunyuan_vl_vision hy_v4 "
     "hy_v4_vl_text hy_v4_vl_vision hyperclovax jais2 kyutai_speech_to_text lasr_encoder lightglue "
     "llama longcat_flash moshi moshi_depth nanochat nemotron3_5_transcribe_asr_audio "
     "nemotron3_5_transcribe_word_timestamp nemotron3_diarization_audio "
     "nemotron_asr_streaming_encoder olmo olmo2 olmo3 olmo_hybrid olmoe parakeet_encoder "
     "pe_audio_encoder pe_audio_video_encoder pe_video_encoder phi phi3 pocket_tts recurrent_gemma "
     "sarvam_mla ultrabert zamba2"},
    {"n_inner", "n_embd", 4, "codegen gpt2 gpt_bigcode gptj"},
    {"intermediate_size", "hidden_size", 4, "gpt_neo"},
});

}  // namespace

std::span<const ClassDefault> field_default_rows() { return kFieldDefaults; }
std::span<const DerivedDefault> derived_default_rows() { return kDerivedDefaults; }

}  // namespace samebits
