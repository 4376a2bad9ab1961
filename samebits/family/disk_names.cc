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

bool is_disk_name(const DiskNames& known, std::string_view name) {
  return std::ranges::any_of(known.parts, [&](std::string_view part) {
    const std::size_t at = part.empty() ? std::string_view::npos : find_part(name, part);
    if (at == std::string_view::npos) return false;
    return known.unless.empty() || !name.substr(0, at).ends_with(known.unless);
  });
}

}  // namespace samebits
