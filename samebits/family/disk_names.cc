#include "samebits/family/disk_names.h"

#include <algorithm>

#include "samebits/family/word_list.h"

namespace samebits {
namespace {

using DiskParts = std::array<std::string_view, 4>;
constexpr DiskParts kLlavaParts = {"^language_model.", "^vision_tower.", "^multi_modal_projector.",
                                   "^image_newline"};
constexpr DiskParts kQwenParts = {"^visual.", "^model.embed_tokens.", "^model.layers.",
                                  "^model.norm."};

constexpr auto kDiskNames = std::to_array<DiskNames>({
    {"altclip", {".encoder.layer."}},
    {"aria aya_vision gemma3 got_ocr2 internvl llava llava_next llava_next_video llava_onevision "
     "mistral3 paligemma vipllava",
     kLlavaParts},
    {"aria_text", {".mlp.experts.fc#."}},
    {"audio-spectrogram-transformer beit ijepa vit_msn vivit", {"encoder.layer."}},
    {"d_fine rt_detr rt_detr_v2", {"encoder.encoder.#.", ".fc#.", ".out_proj."}},
    {"depth_anything prompt_depth_anything", {".attention."}},
    {"dinov3_convnext", {"stages."}, "model."},
    {"dinov3_vit", {"layer."}, "model."},
    {"gpt_neox", {"^embed_out."}},
    {"granitemoe granitemoehybrid granitemoeshared",
     {".block_sparse_moe.input_linear.", ".block_sparse_moe.output_linear.",
      ".block_sparse_moe.router.layer."}},
    {"lw_detr", {".attention.attention.", ".attention.output."}},
    {"maskformer", {"transformer_module.decoder.layers.#.fc#.", ".out_proj."}},
    {"qwen2_5_vl qwen2_vl", kQwenParts},
    {"segformer", {"encoder.", "linear_c."}},
    {"swin", {".attention.self.", ".output.dense.", ".intermediate.dense."}},
    {"timesfm2_5", {".mlp.ff#."}},
    {"videomae", {".q_bias", ".v_bias"}},
    {"yolos", {"encoder.mid_position_embeddings"}},
    // Mixtures of experts.
    {"afmoe cohere2_moe deepseek_v2 deepseek_v3 deepseek_v32 flex_olmo glm4_moe glm4_moe_lite "
     "glm4v_moe glm_moe_dsa jamba longcat_flash olmoe qwen2_moe qwen3_5_moe qwen3_5_moe_text "
     "qwen3_moe qwen3_next solar_open",
     {".experts.#."},
     "",
     true},
    {"ernie4_5_moe", {".experts.#.", ".moe_statics."}, "", true},
    {"exaone_moe", {".experts.#.", ".mlp.e_score_correction_bias"}, "", true},
    {"minimax minimax_m2 mixtral phimoe", {".block_sparse_moe."}, "", true},
    {"nemotron_h", {"^backbone.", ".experts.#."}, "", true},
});

/// Types for which the loader of 5.24.0 has a conversion, whose names are not told apart here.
constexpr std::string_view kConvertedTypes =
    "audioflamingo3 axk1 axk2 bailing_hybrid beam chmv2 cohere_asr colpali conditional_detr "
    "cosmos3_edge cosmos3_omni csm deepseek_ocr2 deepseek_v4 deformable_detr depth_pro detr "
    "dory dots1 dots3_note dots3_note_audio_encoder dots3_note_text dots3_note_vision_encoder "
    "emu3 ernie4_5_vl_moe esm exaone flint fuyu glm5_next glm5_next_text glmasr "
    "gradium_phonon_tts granite_speech granite_speech_plus grounding-dino gte hrm_text "
    "hunyuan_v1_moe hunyuan_vl hy_v3 hy_v4 hy_v4_vl hy_v4_vl_text hyperclovax_vision_v2 "
    "inkling2 inkling2_loop inkling2_loop_text inkling2_text inkling_mm_model jev "
    "jina_embeddings_v3 kimi_k25 kimi_linear kolibri1 kyutai_speech_to_text laguna lara_mini "
    "lfm2_moe lfm3 lfm3_vl_vision mellum mimo_v2_flash minimax_m3_vl mistral_large4 "
    "mistral_large4_text mlcd mllama molmo2 musicflamingo nemo_speechlm nomic_bert "
    "olmo_hybrid paddleocr_vl pi0 pixio pp_chart2table pp_doclayout_v2 pp_doclayout_v3 "
    "pp_doclayout_v4 qianfan_ocr qwen2_5_omni_thinker qwen2_audio qwen3_5_text qwen3_omni_moe "
    "qwen3_omni_moe_text qwen3_omni_moe_thinker qwen3_vl_moe qwen4_exp_text radio rf_detr "
    "sam3_tracker sam3_tracker_video sapiens2 sarvam_mla sarvam_moe shieldgemma2 "
    "step3p5_vision step3p7 t5gemma2_encoder timm_wrapper tipsv2 tipsv2_dpt unlimited_ocr "
    "vibevoice_asr video_llava voxtral voxtral_realtime";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Whether `text` begins with the part, in which "#" stands for a number.
bool begins_with(std::string_view text, std::string_view part) {
  std::size_t at = 0;
  for (const char c : part) {
    if (c != '#') {
      if (at >= text.size() || text[at] != c) return false;
      ++at;
      continue;
    }
    if (at >= text.size() || !is_digit(text[at])) return false;
    while (at < text.size() && is_digit(text[at])) ++at;
  }
  return true;
}

/// The first place of the part; npos without.
std::size_t find_part(std::string_view name, std::string_view part) {
  if (part.starts_with('^')) return begins_with(name, part.substr(1)) ? 0 : std::string_view::npos;
  for (std::size_t at = 0; at < name.size(); ++at)
    if (begins_with(name.substr(at), part)) return at;
  return std::string_view::npos;
}

}  // namespace

const DiskNames* find_disk_names(std::string_view model_type) {
  if (model_type.empty()) return nullptr;
  const auto known = std::ranges::find_if(
      kDiskNames, [&](const DiskNames& row) { return lists_word(row.types, model_type); });
  return known == kDiskNames.end() ? nullptr : &*known;
}

bool is_converted(std::string_view model_type) {
  return !model_type.empty() && lists_word(kConvertedTypes, model_type);
}

bool is_disk_name(const DiskNames& known, std::string_view name) {
  return std::ranges::any_of(known.parts, [&](std::string_view part) {
    const std::size_t at = part.empty() ? std::string_view::npos : find_part(name, part);
    if (at == std::string_view::npos) return false;
    return known.unless.empty() || !name.substr(0, at).ends_with(known.unless);
  });
}

}  // namespace samebits
