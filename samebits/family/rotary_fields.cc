#include "samebits/family/rotary_fields.h"

#include <array>

namespace samebits {
namespace {

constexpr std::string_view kTheta = "rope_theta";
constexpr std::string_view kPart = "partial_rotary_factor";
constexpr std::string_view kScaling = "rope_scaling";
constexpr std::string_view kFull = "full_attention";
constexpr std::string_view kSliding = "sliding_attention";

constexpr std::string_view kUsual =
    "arcee aria_text bamba chameleon cohere cohere2 deepseek_v2 deepseek_v3 diffllama doge dots1 "
    "exaone4 falcon gemma gemma2 glm glm4 glm4_moe glm4v_moe_text glm4v_text granite granitemoe "
    "granitemoehybrid granitemoeshared hunyuan_v1_dense hunyuan_v1_moe jetmoe llama mimi ministral "
    "mistral moonshine moshi nemotron olmo olmo2 olmoe phi phi3 phi4_multimodal pixtral qwen2 "
    "qwen2_moe qwen3 qwen3_moe qwen3_next recurrent_gemma seed_oss stablelm starcoder2 vaultgemma "
    "zamba2";

constexpr std::string_view kUnscaled =
    "arcee aria_text bamba bitnet blt chameleon cohere cohere2 csm deepseek_v2 deepseek_v3 "
    "diffllama doge dots1 ernie4_5 ernie4_5_moe evolla exaone4 falcon falcon_h1 flex_olmo gemma "
    "gemma2 glm glm4 glm4_moe glm4v_moe_text glm4v_text gpt_neox gpt_neox_japanese granite "
    "granitemoe granitemoehybrid granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe jetmoe "
    "kyutai_speech_to_text lfm2 llama llama4_text longcat_flash mimi minimax ministral mistral "
    "mixtral moonshine moshi olmo olmo2 olmoe persimmon phi phi3 phi4_multimodal phimoe qwen2 "
    "qwen2_5_vl_text qwen2_moe qwen2_vl_text qwen3 qwen3_moe qwen3_next qwen3_vl_moe_text "
    "qwen3_vl_text seed_oss smollm3 stablelm starcoder2 vaultgemma zamba2";

constexpr auto kRows = std::to_array<RotaryField>({
    {kTheta, "", kTheta, "10000.0", kUsual},
    {kTheta, "", kTheta, "25000.0", "persimmon"},
    {kTheta, "", kTheta, "100000.0", "falcon_h1 helium kyutai_speech_to_text"},
    {kTheta, "", kTheta, "150000.0", "gpt_oss"},
    {kTheta, "", kTheta, "500000.0",
     "bitnet blt csm ernie4_5 ernie4_5_moe evolla flex_olmo llama4_text"},
    {kTheta, "", kTheta, "1000000.0", "lfm2 minimax mixtral phimoe qwen2_5_vl_text qwen2_vl_text"},
    {kTheta, "", kTheta, "2000000.0", "smollm3"},
    {kTheta, "", kTheta, "5000000.0", "qwen3_vl_moe_text qwen3_vl_text"},
    {kTheta, "", kTheta, "10000000.0", "longcat_flash"},
    {kTheta, "", kTheta, "12000000.0", "apertus"},
    {"rotary_emb_base", "", kTheta, "10000", "gpt_neox gpt_neox_japanese"},
    {kTheta, kFull, kTheta, "10000.0", "olmo3"},
    {kTheta, kFull, kTheta, "1000000.0", "gemma3_text gemma3n_text"},
    {"rope_local_base_freq", kSliding, kTheta, "10000.0", "gemma3_text gemma3n_text"},
    {"global_rope_theta", kFull, kTheta, "160000.0", "modernbert modernbert-decoder"},
    {"local_rope_theta", kSliding, kTheta, "10000.0", "modernbert"},
    {"local_rope_theta", kSliding, kTheta, "160000.0", "modernbert-decoder"},
    {kPart, "", kPart, "0.25", "qwen3_next stablelm"},
    {kPart, "", kPart, "0.5",
     "glm glm4 glm4_moe glm4v_moe_text nemotron persimmon phi recurrent_gemma"},
    {kPart, "", kPart, "0.9", "moonshine"},
    {kPart, "", kPart, "1.0", "phi3 phi4_multimodal"},
    {"rotary_pct", "", kPart, "0.25", "gpt_neox"},
    {"rotary_pct", "", kPart, "1.0", "gpt_neox_japanese"},
    {kScaling, "", "", "null", kUnscaled},
    {kScaling, kFull, "", "null", "gemma3_text gemma3n_text olmo3"},
    {kScaling, "", "",
     R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
         "original_max_position_embeddings": 8192})",
     "apertus"},
    {kScaling, "", "",
     R"({"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0,
         "truncate": false, "original_max_position_embeddings": 4096})",
     "gpt_oss"},
});

}  // namespace

std::span<const RotaryField> rotary_field_rows() { return kRows; }

}  // namespace samebits
