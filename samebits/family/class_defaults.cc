#include "samebits/family/class_defaults.h"

#include <array>
#include <vector>

#include "samebits/family/word_list.h"

namespace samebits {
namespace {

/// Classes that tie the output layer to the embeddings, and those that do not.
constexpr std::string_view kTies =
    "albert aya_vision bart bert bert-generation big_bird bigbird_pegasus biogpt blenderbot "
    "blenderbot-small blip blip_text_model bloom camembert canary cohere cohere2 cohere2_moe "
    "cohere2_vision cohere_compass_text convbert cpmant ctrl d_fine dab-detr data2vec-text "
    "deberta deberta-v2 deepseek_vl deepseek_vl_hybrid deformable_detr deimv2 deta "
    "diffusion_gemma diffusion_gemma_text distilbert efficientformer electra ernie ernie4_5 "
    "ernie4_5_moe ernie4_5_vl_moe ernie4_5_vl_moe_text ernie_m esm falcon falcon_mamba "
    "flaubert flava florence2 fnet fun_asr_nano funnel gemma gemma2 gemma3 gemma3_text "
    "gemma3n gemma3n_text gemma4 gemma4_text gemma4_unified gemma4_unified_assistant "
    "gemma4_unified_text glmasr got_ocr2 gpt-sw3 gpt2 gpt_bigcode gpt_neo gpt_neox_japanese "
    "gptsan-japanese granite_docling granite_docling_text granite_speech granite_speech5_ctc "
    "granite_speech_plus granite_swa graphormer grounding-dino gte hunyuan_vl hunyuan_vl_text "
    "hyperclovax_vision_v2 ibert internvl janus jetmoe jina_embeddings_v3 jukebox kimi_k25 "
    "kosmos-2 kosmos-2.5 kosmos_2_5_text_model kosmos_2_text_model lara_mini layoutlm led "
    "lfm2 lfm2_moe lfm2_vl lfm3 lfm3_vl lighton_ocr longformer longt5 luke lxmert m2m_100 "
    "mamba marian mbart mctct mega megatron-bert mimi mimi_decoder mimi_encoder minicpm3 "
    "minicpm_ocr mistral3 mm-grounding-dino mobilebert modernbert modernbert-decoder "
    "moonshine moss_transcribe_diarize mpnet mpt mra mvp nat neomme nezha nllb-moe nomic_bert "
    "nystromformer openai-gpt opt ovis2 paddleocr_vl paddleocr_vl_text paligemma "
    "pe_audio_video pegasus pegasus_x perception_encoder plbart pop2piano pp_chart2table "
    "pp_doclayout_v3 pp_doclayout_v4 prophetnet qdqbert qwen2_5_omni_text qwen3_asr realm "
    "recurrent_gemma retribert roberta roberta-prelayernorm roc_bert roformer rt_detr_v2 sam "
    "sam_hq seamless_m4t seamless_m4t_v2 shieldgemma2 smollm3 speech_to_text speech_to_text_2 "
    "speecht5 squeezebert starcoder2 switch_transformers t5 t5_gemma_module t5gemma t5gemma2 "
    "t5gemma2_decoder t5gemma2_encoder t5gemma2_text tapas trajectory_transformer transfo-xl "
    "trocr tvlt udop umt5 van vaultgemma visual_bert vit_hybrid voxtral_realtime whisper xglm "
    "xlm xlm-prophetnet xlm-roberta xlm-roberta-xl xlnet xmod yoso youtu zamba zamba2 zaya";

constexpr std::string_view kDoesNotTie =
    "EvollaModel afmoe apertus apertus1p5 apertus1p5_text arcee aria_text axk1 axk2 "
    "bailing_hybrid bamba beam bitnet blt blt_global_transformer blt_local_decoder "
    "blt_local_encoder blt_patcher bridgetower chameleon code_llama codegen cohere_asr "
    "cohere_compass cosmos3_edge cosmos3_edge_text cosmos3_omni cwm dbrx deepseek_ocr2 "
    "deepseek_ocr2_encoder deepseek_ocr2_text deepseek_v2 deepseek_v3 deepseek_v32 "
    "deepseek_v4 diffllama doge dory dots1 dots3_note dots3_note_text emu3_text_model esmc "
    "eurobert evolla exaone exaone4 exaone4_5 exaone_moe falcon_h1 fast_vlm flex_olmo flint "
    "fsmt fuyu git glm glm4 glm46v glm4_moe glm4_moe_lite glm4v_moe_text glm5_next "
    "glm5_next_text glm_image glm_moe_dsa glm_ocr glmga gpt_neox gpt_oss gptj granite "
    "granite4_vision granite4_vision_text granitemoe granitemoe_swa granitemoehybrid "
    "granitemoeshared granitevision helium higgs_audio_v2 hrm_text hunyuan_v1_dense "
    "hunyuan_v1_moe hy_v3 hy_v4 hy_v4_vl hy_v4_vl_text hyperclovax idefics idefics2 idefics3 "
    "imagegpt internlm3 iquestcoder jais2 jamba kimi_linear kolibri1 kyutai_speech_to_text "
    "laguna llama llama4 llama4_text llava_next llava_next_video llava_onevision "
    "longcat_flash mamba2 mellum mimo_v2_flash minicpmv4_6 minicpmv4_7 minimax minimax_m2 "
    "minimax_m3_vl minimax_m3_vl_text ministral ministral3 mistral mistral4 mistral_large4 "
    "mistral_large4_text mixtral mllama_text_model modernvbert molmo2 molmo2_text "
    "moonshine_streaming moshi moshi_depth muse_glimmer_text muse_spark_text musicgen_decoder "
    "musicgen_melody_decoder nanochat nemotron nemotron_h neucodec olmo olmo2 olmo3 "
    "olmo_hybrid olmoe open-llama openai_privacy_filter persimmon phi phi3 phi4_multimodal "
    "phimoe pix2struct pix2struct_text_model pp_formulanet_text qianfan_ocr qwen2 "
    "qwen2_5_omni_talker qwen2_5_omni_thinker qwen2_5_vl qwen2_moe qwen2_vl qwen3 qwen3_5 "
    "qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next "
    "qwen3_omni_moe_talker_code_predictor qwen3_omni_moe_talker_text qwen3_omni_moe_thinker "
    "qwen3_vl qwen3_vl_moe qwen4_exp qwen4_exp_text reformer rembert rwkv sarvam_mla "
    "sarvam_moe seed_oss smolvlm solar_open stablelm step3p5 ultrabert ultravbert "
    "unlimited_ocr unlimited_ocr_text vibevoice video_llama_3 xcodec2 xlstm";

/// Activations.
constexpr std::string_view kActGelu =
    "align_text_model altclip_text_model audio-spectrogram-transformer beit bert "
    "bert-generation biogpt blip_2_qformer blip_2_vision_model blip_text_model "
    "blip_vision_model bridgetower bridgetower_text_model bros camembert canine "
    "chinese_clip_text_model clap_audio_model clap_text_model clvp_encoder convbert convnext "
    "convnextv2 data2vec-audio data2vec-text data2vec-vision deberta deberta-v2 "
    "deepseek_ocr2_sam_vision_model deit dinat dinov2 dinov2_with_registers dinov3_convnext "
    "dinov3_vit donut-swin dpr dpt edgetam_mask_decoder edgetam_prompt_encoder "
    "edgetam_video_mask_decoder edgetam_video_prompt_encoder edgetam_vision_model "
    "efficientformer electra eomt eomt_dinov3 ernie ernie_m flava_image_model "
    "flava_multimodal_model flava_text_model focalnet git glm_image_vision glmasr_encoder "
    "glpn got_ocr2_vision gpt_neox gpt_neox_japanese gradium_phonon_tts groupvit_vision_model "
    "gte hiera hubert hunyuan_vl_vision hy_v4_vl_vision ibert idefics_vision ijepa "
    "inkling2_vision instructblip_qformer instructblip_vision_model instructblipvideo_qformer "
    "instructblipvideo_vision_model internvl_vision janus_vision_model janus_vqgan "
    "jina_embeddings_v3 layoutlm layoutlmv2 layoutlmv3 layoutxlm lightglue lilt "
    "llama4_vision_model longformer luke lw_detr_vit lxmert markuplm maskformer-swin "
    "megatron-bert mimi mimi_decoder mimi_encoder minimax_m3_vl_vision mlcd mlcd_vision_model "
    "mllama_vision_model moonshine_streaming_encoder mpnet mra muse_glimmer_vision "
    "muse_spark_audio muse_spark_vision nat nemotron3_5_transcribe_asr_audio "
    "nemotron3_5_transcribe_word_timestamp nemotron3_diarization_audio nezha omniasr_audio "
    "perceiver pixio pixtral poolformer pp_chart2table_vision pp_formulanet_vision pvt pvt_v2 "
    "qdqbert qianfan_ocr_vision radio rembert retribert rf_detr_dinov2 roberta "
    "roberta-prelayernorm roc_bert roformer sam2_hiera_det_model sam2_mask_decoder "
    "sam2_prompt_encoder sam2_video_mask_decoder sam2_video_prompt_encoder sam2_vision_model "
    "sam3_lite_text_text_model sam3_tracker_mask_decoder sam3_tracker_prompt_encoder "
    "sam3_tracker_video_mask_decoder sam3_tracker_video_prompt_encoder sam3_vision_model "
    "sam3_vit_model sam_hq_prompt_encoder sam_hq_vision_model sam_prompt_encoder "
    "sam_vision_model segformer seggpt sew slanext_vision speecht5 splinter squeezebert "
    "swiftformer swin swin2sr swinv2 tapas timesformer tipsv2_vision_model tvlt tvp unispeech "
    "unispeech-sat unlimited_ocr_sam_vision_model van vibevoice_acoustic_tokenizer "
    "vibevoice_acoustic_tokenizer_decoder vibevoice_acoustic_tokenizer_encoder videomae "
    "videomt vilt visual_bert vit vit_hybrid vit_mae vit_msn vitdet vitpose_backbone vjepa2 "
    "wav2vec2 wav2vec2-conformer wavlm xlm-roberta xlm-roberta-xl xmod yolos yoso zamba "
    "zamba2 zoedepth";

constexpr std::string_view kActSilu =
    "EvollaModel afmoe aimv2_text_model aimv2_vision_model aria_text axk1 axk2 bailing_hybrid "
    "bamba beam blt_global_transformer blt_local_decoder blt_local_encoder blt_patcher "
    "chameleon code_llama cohere cohere2 cohere2_moe cohere_compass_text csm "
    "csm_depth_decoder_model cwm deepseek_ocr2_encoder deepseek_ocr2_text deepseek_v2 "
    "deepseek_v3 deepseek_v32 deepseek_v4 dia_decoder dia_encoder diffllama doge dory dots1 "
    "dots3_note_audio_encoder dots3_note_text dots3_note_vision_encoder emu3_text_model "
    "ernie4_5 ernie4_5_moe ernie4_5_vl_moe_text esmc eurobert evolla exaone exaone4 "
    "exaone4_5_vision exaone_moe falcon_h1 falcon_mamba flex_olmo flint gemma4_audio glm glm4 "
    "glm4_moe glm4_moe_lite glm4v_moe_text glm4v_moe_vision glm4v_text glm4v_vision "
    "glm5_next_text glm5_next_vision glm_image_text glm_moe_dsa glm_ocr_text glm_ocr_vision "
    "gpt_oss granite granite4_vision_text granite_docling_text granite_speech5_encoder "
    "granite_swa granitemoe granitemoe_swa granitemoehybrid granitemoeshared helium "
    "higgs_audio_v2 hrm_text hunyuan_v1_dense hunyuan_v1_moe hunyuan_vl_text hy_v3 hy_v4 "
    "hy_v4_vl_text hyperclovax idefics idefics2_perceiver inkling2_loop_text inkling2_text "
    "inkling_text internlm3 iquestcoder jamba kimi_linear kolibri1 kyutai_speech_to_text "
    "laguna lara_mini lasr_encoder llama llama4_text longcat_flash mamba mamba2 mellum "
    "mimo_v2_flash minicpm3 minimax minimax_m2 minimax_m3_vl_text ministral ministral3 "
    "mistral mistral4 mistral_large4_text mixtral mllama_text_model mobilevit molmo2_adapter "
    "molmo2_text moonshine moonshine_streaming moshi moshi_depth muse_glimmer_assistant "
    "muse_spark_text nemotron_asr_streaming_encoder neucodec nomic_bert olmo olmo2 olmo3 "
    "olmo_hybrid olmoe open-llama ovis2_vision paddleocr_vl_text parakeet_encoder "
    "pe_audio_encoder pe_audio_video_encoder pe_video_encoder phi3 phi4_multimodal phimoe "
    "pp_ocrv5_mobile_rec pp_ocrv5_server_rec pp_ocrv6_small_rec qwen2 qwen2_5_omni_talker "
    "qwen2_5_omni_text qwen2_5_omni_vision_encoder qwen2_5_vl_text qwen2_5_vl_vision "
    "qwen2_moe qwen2_vl_text qwen3 qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next "
    "qwen3_omni_moe_talker_code_predictor qwen3_omni_moe_talker_text qwen3_omni_moe_text "
    "qwen3_vl_moe_text qwen3_vl_text qwen4_exp_text sapiens2 sarvam_mla sarvam_moe seed_oss "
    "smollm3 solar_open stablelm step3p5 ultrabert unlimited_ocr_text vibevoice_diffusion "
    "voxtral_realtime_encoder voxtral_realtime_text xcodec2 youtu zaya";

constexpr std::string_view kActGeluPytorchTanh =
    "cohere_compass_vision cosmos3_edge_vision gemma granite_docling_vision idefics2_vision "
    "idefics3_vision kimi_k25_vision minicpm_ocr_vision minicpmv4_6_vision minicpmv4_7_vision "
    "molmo2_vision paddleocr_vl_vision phi4_multimodal_vision pocket_tts "
    "pocket_tts_audio_tokenizer pocket_tts_audio_tokenizer_decoder "
    "pocket_tts_audio_tokenizer_encoder qwen3_5_moe_vision qwen3_5_vision "
    "qwen3_omni_moe_vision_encoder qwen3_vl_moe_vision qwen3_vl_vision qwen4_exp_vision "
    "siglip2_text_model siglip2_vision_model siglip_text_model siglip_vision_model "
    "smolvlm_vision starcoder2 video_llama_3_vision";

constexpr std::string_view kActRelu =
    "bit canary_decoder cohere_asr fun_asr_nano_encoder hgnet_v2 mctct mobilebert "
    "nemotron3_5_asr nemotron_asr_streaming parakeet_rnnt parakeet_tdt pp_lcnet_v4 "
    "pp_ocrv5_server_det reformer regnet resnet rt_detr_resnet sam3_detr_decoder "
    "sam3_detr_encoder sam3_geometry_encoder sam3_lite_text_detr_decoder "
    "sam3_lite_text_detr_encoder sam3_lite_text_geometry_encoder sam_hq_mask_decoder "
    "sam_mask_decoder tipsv2_text_model videoprism_text_model vits";

constexpr std::string_view kActQuickGelu =
    "altclip_vision_model chinese_clip_vision_model clip_text_model clip_vision_model "
    "clipseg_text_model clipseg_vision_model ernie4_5_vl_moe_vision git_vision_model "
    "groupvit_text_model kosmos_2_vision_model metaclip_2_text_model metaclip_2_vision_model "
    "owlv2_text_model owlv2_vision_model owlvit_text_model owlvit_vision_model "
    "qwen2_vl_vision step3p5_vision unlimited_ocr_vision_encoder xclip_text_model "
    "xclip_vision_model";

constexpr std::string_view kPositionsAbsolute =
    "albert bert bert-generation blip_2_qformer camembert data2vec-text dpr electra ernie esm "
    "git ibert lilt megatron-bert mra roberta roberta-prelayernorm roc_bert xlm-roberta "
    "xlm-roberta-xl xmod yoso";

constexpr std::string_view kNoPad =
    "EvollaModel altclip arcee axk1 axk2 bloom bridgetower clap code_llama cohere_compass "
    "ctrl deepseek_v2 deepseek_v3 diffllama doge embedding_gemma2 encoder-decoder esm "
    "esmfold2 evolla exaone4 falcon florence2 gemma3 gemma4 gemma4_unified gpt2 gpt_bigcode "
    "gpt_neo gpt_neox gpt_oss gptj granite_speech5_encoder jetmoe lasr_encoder llama minicpm3 "
    "minimax ministral mistral mixtral moonshine moonshine_streaming_encoder mpt musicgen "
    "musicgen_melody nemotron openai-gpt parakeet_encoder persimmon phi phimoe "
    "pp_doclayout_v2 pp_formulanet qwen2 qwen2_moe qwen3 qwen3_5_text qwen3_moe qwen3_next "
    "rag speech-encoder-decoder speecht5_hifigan stablelm starcoder2 t5gemma2_encoder "
    "vision-encoder-decoder";

/// Numbers of the padding token, of the types that read it (token_fields.cc).
constexpr std::string_view kPadZero =
    "big_bird bigbird_pegasus blenderbot blenderbot-small cohere_compass_text dpr "
    "embedding_gemma2_text gemma gemma2 gemma3_text gemma4_text gemma4_unified_text "
    "granite_speech5_ctc hubert hunyuan_v1_dense hunyuan_v1_moe jamba lasr_ctc lilt longt5 "
    "markuplm moonshine_streaming mt5 neomme pegasus pegasus_x pix2struct "
    "pix2struct_text_model pop2piano prophetnet roc_bert seamless_m4t seamless_m4t_v2 sew "
    "sew-d splinter switch_transformers t5 t5_gemma_module t5gemma t5gemma2 t5gemma2_decoder "
    "t5gemma2_text udop umt5 unispeech unispeech-sat wav2vec2 wav2vec2-bert "
    "wav2vec2-conformer wavlm zamba zamba2";

constexpr std::string_view kPadOne =
    "altclip_text_model bart biogpt bridgetower_text_model camembert clap_text_model "
    "data2vec-text fsmt ibert layoutlmv3 led longformer luke m2m_100 mbart mvp nllb-moe olmo "
    "olmo2 olmo3 opt plbart pp_formulanet_text roberta roberta-prelayernorm seed_oss "
    "speech_to_text speecht5 xglm xlm-roberta xlm-roberta-xl xmod";

/// Classes without sdpa attention in both versions, and in 4.57.6 alone.
constexpr std::string_view kEager =
    "align align_text_model align_vision_model apertus1p5_vision_tokenizer autoformer bark "
    "big_bird bigbird_pegasus bit blip blip_vision_model bloom bridgetower "
    "bridgetower_text_model bridgetower_vision_model bros canine clap clap_audio_model "
    "clap_text_model clvp clvp_decoder clvp_encoder convbert convnext convnextv2 cpmant cvt "
    "dab-detr dac deberta deberta-v2 deepseek_v4 depth_anything dinat dinov3_convnext "
    "efficientnet encodec falcon_mamba fastspeech2_conformer fastspeech2_conformer_hifigan "
    "fastspeech2_conformer_with_hifigan flaubert flava flava_image_codebook flava_image_model "
    "flava_multimodal_model flava_text_model flint fnet focalnet fsmt funnel gemma4_audio git "
    "git_vision_model glpn got_ocr2 got_ocr2_vision gpt_neo gpt_neox_japanese gpt_oss "
    "granite_swa granitemoe_swa grounding-dino groupvit groupvit_text_model "
    "groupvit_vision_model hgnet_v2 hiera hy_v4 hy_v4_vl hy_v4_vl_text ibert imagegpt "
    "informer inkling2 inkling2_loop inkling2_loop_text inkling2_text layoutlmv2 led levit "
    "lilt longformer longt5 luke lxmert mamba mamba2 markuplm mask2former maskformer "
    "megatron-bert mgp-str mimo_v2_flash mm-grounding-dino mobilenet_v1 mobilenet_v2 "
    "mobilevit mobilevitv2 mpnet mpt mra mvp nllb-moe nystromformer omdet-turbo oneformer "
    "openai-gpt openai_privacy_filter patchtsmixer pegasus_x perceiver poolformer pp_lcnet "
    "pp_lcnet_v3 pp_lcnet_v4 pp_ocrv5_mobile_det pp_ocrv5_server_det pp_ocrv6_medium_det "
    "pp_ocrv6_small_det prompt_depth_anything prophetnet pvt pvt_v2 reformer regnet rembert "
    "resnet roformer rwkv seggpt sew-d slanet slanext slanext_vision speech_to_text speecht5 "
    "speecht5_hifigan splinter squeezebert superglue superpoint swiftformer swin2sr swinv2 "
    "switch_transformers table-transformer tapas textnet time_series_transformer timesformer "
    "tipsv2_dpt trocr tvp univnet upernet uvdoc uvdoc_backbone vibevoice_acoustic_tokenizer "
    "vibevoice_acoustic_tokenizer_decoder vibevoice_acoustic_tokenizer_encoder videoprism "
    "videoprism_text_model videoprism_vision_model vilt visual_bert vitdet vitmatte vitpose "
    "vits wavlm wavtokenizer wavtokenizer_encoder xcodec xglm xlm xlnet xlstm yoso zoedepth";

constexpr std::string_view kEagerIn4 =
    "altclip bert-generation chinese_clip chinese_clip_vision_model clipseg codegen "
    "conditional_detr ctrl d_fine decision_transformer deformable_detr detr electra ernie "
    "gemma3n_audio gptj layoutlm layoutlmv3 mobilebert mt5 owlv2 owlvit patchtst pix2struct "
    "pop2piano recurrent_gemma roberta-prelayernorm roc_bert rt_detr rt_detr_v2 seamless_m4t "
    "seamless_m4t_v2 segformer shieldgemma2 swin t5 timm_backbone timm_wrapper udop umt5 "
    "wav2vec2-bert wav2vec2-conformer xclip xmod zamba";

/// Classes whose experts have several kernels, in 5.24.0; 4.57.6 has one for each class.
constexpr std::string_view kGrouped =
    "afmoe aria aria_text axk1 axk2 bailing_hybrid beam cohere2_moe deepseek_ocr2 "
    "deepseek_ocr2_encoder deepseek_ocr2_sam_vision_model deepseek_ocr2_text "
    "deepseek_ocr2_vision deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 diffusion_gemma "
    "diffusion_gemma_text dots1 dots3_note dots3_note_audio_encoder dots3_note_text "
    "dots3_note_vision_encoder ernie4_5_moe ernie4_5_vl_moe ernie4_5_vl_moe_text "
    "ernie4_5_vl_moe_vision exaone_moe flex_olmo flint gemma4 gemma4_audio gemma4_text "
    "gemma4_vision glm4_moe glm4_moe_lite glm4v_moe glm4v_moe_text glm4v_moe_vision "
    "glm5_next glm5_next_text glm5_next_vision glm_moe_dsa gpt_oss granitemoe "
    "granitemoe_swa granitemoehybrid granitemoeshared hunyuan_v1_moe hy_v3 hy_v4 hy_v4_vl "
    "hy_v4_vl_text hy_v4_vl_vision inkling2 inkling2_loop inkling2_loop_text inkling2_text "
    "inkling2_vision inkling_audio inkling_mm_model inkling_text inkling_vision jamba "
    "kimi_linear kolibri1 laguna lara_mini lfm2_moe mellum mimo_v2_flash minimax minimax_m2 "
    "minimax_m3_vl minimax_m3_vl_text minimax_m3_vl_vision mistral4 mistral_large4 "
    "mistral_large4_text mixtral muse_spark muse_spark_audio muse_spark_text "
    "muse_spark_vision nemotron_h olmoe openai_privacy_filter phimoe qwen2_moe qwen3_5_moe "
    "qwen3_5_moe_text qwen3_5_moe_vision qwen3_moe qwen3_next qwen3_omni_moe "
    "qwen3_omni_moe_audio_encoder qwen3_omni_moe_talker_code_predictor "
    "qwen3_omni_moe_talker_text qwen3_omni_moe_text qwen3_omni_moe_thinker "
    "qwen3_omni_moe_vision_encoder qwen3_vl_moe qwen3_vl_moe_text qwen3_vl_moe_vision "
    "qwen4_exp qwen4_exp_text qwen4_exp_vision solar_open unlimited_ocr "
    "unlimited_ocr_sam_vision_model unlimited_ocr_text unlimited_ocr_vision "
    "unlimited_ocr_vision_encoder zaya";

constexpr auto kClassDefaults = std::to_array<ClassDefault>({
    {"tie_word_embeddings", "true", kTies},
    {"tie_word_embeddings", "false", kDoesNotTie},
    {"hidden_act", "\"gelu\"", kActGelu},
    {"hidden_act", "\"silu\"", kActSilu},
    {"hidden_act", "\"gelu_pytorch_tanh\"", kActGeluPytorchTanh},
    {"hidden_act", "\"relu\"", kActRelu},
    {"hidden_act", "\"quick_gelu\"", kActQuickGelu},
    {"hidden_act", "\"relu2\"",
     "arcee bitnet cosmos3_edge_text jais2 nanochat nemotron neomme persimmon"},
    {"hidden_act", "\"gelu_new\"", "albert big_bird fnet funnel nystromformer phi realm"},
    {"hidden_act", "\"swish\"", "align_vision_model efficientnet mobilevitv2 wav2vec2-bert"},
    {"hidden_act", "\"hardswish\"", "pp_lcnet pp_lcnet_v3 slanet"},
    {"hidden_act", "\"gelu_python\"", "sew-d videoprism_vision_model"},
    {"hidden_act", "\"relu6\"", "mobilenet_v1 mobilenet_v2"},
    {"hidden_act", "\"xielu\"", "apertus apertus1p5_text"},
    {"hidden_act", "\"gelu_fast\"", "vivit"},
    {"hidden_act", "\"prelu\"", "uvdoc"},
    {"position_embedding_type", "\"absolute\"", kPositionsAbsolute},
    {"position_embedding_type", "\"sine\"",
     "conditional_detr deformable_detr deta detr grounding-dino mm-grounding-dino "
     "table-transformer"},
    {"position_embedding_type", "\"rope\"", "granitemoe granitemoeshared"},
    {"eos_token_id", "null",
     "aimv2 clip clipseg clvp esmfold2 groupvit metaclip_2 qwen4_exp qwen4_exp_text xclip"},
    {"eos_token_id", "2", "bart led mbart mvp plbart xclip_text_model"},
    {"eos_token_id", "49407",
     "aimv2_text_model clip_text_model clipseg_text_model groupvit_text_model "
     "metaclip_2_text_model"},
    {"eos_token_id", "1", "bigbird_pegasus mt5 t5 umt5"},
    {"eos_token_id", "0", "clvp_encoder"},
    {"eos_token_id", "8193", "clvp_decoder"},
    {"decoder_start_token_id", "null",
     "canary_decoder cohere_asr encoder-decoder florence2 longt5 moonshine_streaming "
     "moonshine_streaming_encoder musicgen musicgen_decoder pop2piano rag "
     "speech-encoder-decoder speecht5_hifigan switch_transformers t5 udop "
     "vision-encoder-decoder"},
    {"decoder_start_token_id", "2",
     "bart bigbird_pegasus led m2m_100 mvp nllb-moe speech_to_text speecht5"},
    {"decoder_start_token_id", "0",
     "mt5 pegasus pegasus_x pix2struct pix2struct_text_model prophetnet umt5"},
    {"decoder_start_token_id", "1", "blenderbot blenderbot-small moonshine"},
    {"decoder_start_token_id", "3", "seamless_m4t seamless_m4t_v2"},
    {"decoder_start_token_id", "50257", "whisper"},
    {"decoder_start_token_id", "58100", "marian"},
    {"decoder_start_token_id", "7", "canary"},
    {"bos_token_id", "null",
     "clvp dia_encoder esmfold2 musicgen musicgen_melody rag t5gemma2_encoder"},
    {"bos_token_id", "2", "t5_gemma_module t5gemma t5gemma2 t5gemma2_decoder t5gemma2_text"},
    {"bos_token_id", "2048", "musicgen_decoder musicgen_melody_decoder"},
    {"bos_token_id", "1026", "dia_decoder"},
    {"bos_token_id", "255", "clvp_encoder"},
    {"bos_token_id", "8192", "clvp_decoder"},
    {"sep_token_id", "2", "longformer"},
    {"sep_token_id", "66", "big_bird"},
    {"pad_token_id", "null", kNoPad},
    {"pad_token_id", "0", kPadZero},
    {"pad_token_id", "1", kPadOne},
    {"pad_token_id", "2", "canary canary_decoder cohere_asr parakeet_rnnt parakeet_tdt"},
    {"pad_token_id", "11", "ministral3 mistral4"},
    {"pad_token_id", "151329", "glm glm4"},
    {"pad_token_id", "2048", "musicgen_decoder musicgen_melody_decoder"},
    {"pad_token_id", "1024", "parakeet_ctc"},
    {"pad_token_id", "128004", "smollm3"},
    {"pad_token_id", "3", "helium"},
    {"pad_token_id", "32000", "phi3"},
    {"pad_token_id", "50256", "whisper"},
    {"pad_token_id", "50283", "modernbert-decoder"},
    {"pad_token_id", "58100", "marian"},
    {"attn_implementation", "\"eager\"", kEager},
    {"attn_implementation", "\"eager\"", kEagerIn4, '4'},
    {"attn_implementation", "\"eager\"", "gemma2 t5gemma vaultgemma", '5'},
    {"experts_implementation", "\"grouped_mm\"", kGrouped},
    {"use_associative_scan", "true", "falcon_mamba jamba mamba zamba"},
    {"reference_compile", "false", "modernbert-decoder"},
});

}  // namespace

std::span<const ClassDefault> class_default_rows() {
  static const std::vector<ClassDefault> rows = [] {
    std::vector<ClassDefault> all(kClassDefaults.begin(), kClassDefaults.end());
    const auto more = field_default_rows();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return rows;
}

std::string_view class_default(std::string_view field, std::string_view model_type,
                               std::string_view version) {
  // Every other class of both versions has it.
  std::string_view otherwise = field == "attn_implementation" ? "\"sdpa\"" : "";
  for (const ClassDefault& row : class_default_rows()) {
    if (row.field != field || !lists_word(row.types, model_type)) continue;
    if (row.version == 0 || version.starts_with(row.version)) return row.fallback;
    if (version.empty()) otherwise = "";
  }
  return otherwise;
}

}  // namespace samebits
