#include "samebits/family/token_fields.h"

#include <algorithm>
#include <array>

#include "samebits/family/word_list.h"

namespace samebits {
namespace {

/// A text tower whose pooled output stands where this token does.
constexpr std::string_view kEosPooled =
    "aimv2 aimv2_text_model clip clip_text_model clipseg clipseg_text_model clvp "
    "clvp_decoder clvp_encoder esmfold2 groupvit groupvit_text_model metaclip_2 "
    "metaclip_2_text_model qwen4_exp qwen4_exp_text xclip xclip_text_model";

/// Sequence classification of what stands at the last such token.
constexpr std::string_view kEosClassifies = "bart bigbird_pegasus led mbart mt5 mvp plbart t5 umt5";

/// Inputs of the decoder are made of labels, or of the encoder's inputs, and begin with it.
constexpr std::string_view kStarts =
    "bart bigbird_pegasus blenderbot blenderbot-small canary canary_decoder cohere_asr "
    "encoder-decoder florence2 led longt5 m2m_100 marian moonshine moonshine_streaming "
    "moonshine_streaming_encoder mt5 musicgen musicgen_decoder mvp nllb-moe pegasus "
    "pegasus_x pix2struct pix2struct_text_model pop2piano prophetnet rag seamless_m4t "
    "seamless_m4t_v2 speech-encoder-decoder speech_to_text speecht5 speecht5_hifigan "
    "switch_transformers t5 udop umt5 vision-encoder-decoder whisper";

/// The same with this token.
constexpr std::string_view kBosStarts =
    "clvp clvp_decoder clvp_encoder dia dia_decoder dia_encoder esmfold2 musicgen "
    "musicgen_decoder musicgen_melody musicgen_melody_decoder rag t5_gemma_module t5gemma "
    "t5gemma2 t5gemma2_decoder t5gemma2_encoder t5gemma2_text";

/// Attention is global up to this token.
constexpr std::string_view kSeparates = "big_bird longformer";

/// Positions are counted over what is no padding.
constexpr std::string_view kPadPositions =
    "EvollaModel altclip altclip_text_model bridgetower bridgetower_text_model camembert "
    "clap clap_text_model data2vec-text esm evolla ibert layoutlmv3 lilt longformer luke markuplm "
    "pp_doclayout_v2 roberta roberta-prelayernorm xlm-roberta xlm-roberta-xl xmod";

/// Inputs of the decoder that are made of labels are filled with it, or it is masked.
constexpr std::string_view kPadFills =
    "bart big_bird bigbird_pegasus blenderbot blenderbot-small canary canary_decoder "
    "cohere_asr dpr embedding_gemma2 embedding_gemma2_text encoder-decoder esmfold2 "
    "florence2 fsmt gemma4 gemma4_text gemma4_unified gemma4_unified_text led longt5 "
    "m2m_100 marian mbart moonshine moonshine_streaming moonshine_streaming_encoder mt5 "
    "musicgen musicgen_decoder musicgen_melody musicgen_melody_decoder mvp neomme nllb-"
    "moe parakeet_ctc parakeet_encoder parakeet_rnnt parakeet_tdt pegasus pegasus_x "
    "pix2struct pix2struct_text_model plbart pop2piano pp_formulanet pp_formulanet_text "
    "prophetnet rag roc_bert seamless_m4t seamless_m4t_v2 speech-encoder-decoder "
    "speech_to_text speecht5 speecht5_hifigan splinter switch_transformers t5 "
    "t5_gemma_module t5gemma t5gemma2 t5gemma2_decoder t5gemma2_encoder t5gemma2_text "
    "udop umt5 vision-encoder-decoder whisper xglm";

/// Sequence classification of what stands in front of the padding.
constexpr std::string_view kPadClassifies =
    "arcee axk1 axk2 biogpt bloom code_llama cohere_compass cohere_compass_text ctrl "
    "deepseek_v2 deepseek_v3 diffllama doge exaone4 falcon gemma gemma2 gemma3 "
    "gemma3_text glm glm4 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj helium "
    "hunyuan_v1_dense hunyuan_v1_moe jamba jetmoe llama minicpm3 minimax ministral "
    "ministral3 mistral mistral4 mixtral modernbert-decoder mpt nemotron olmo olmo2 olmo3 "
    "openai-gpt opt persimmon phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_5_text "
    "qwen3_moe qwen3_next seed_oss smollm3 stablelm starcoder2 zamba zamba2";

/// The blank of the CTC loss.
constexpr std::string_view kPadBlank =
    "data2vec-text granite_speech5_ctc granite_speech5_encoder hubert lasr_ctc "
    "lasr_encoder parakeet_ctc parakeet_encoder sew sew-d unispeech unispeech-sat "
    "wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm";

constexpr std::string_view kClassification = "ForSequenceClassification";
constexpr std::string_view kMadeOfLabels =
    "inputs of the decoder that the model makes itself, of labels for one, begin with it";

constexpr auto kTokenFields = std::to_array<TokenField>({
    {"eos_token_id", kEosPooled, "", "the text tower pools where this token stands"},
    {"eos_token_id", kEosClassifies, kClassification, "what stands at this token is classified"},
    {"decoder_start_token_id", kStarts, "", kMadeOfLabels},
    {"bos_token_id", kBosStarts, "", kMadeOfLabels},
    {"sep_token_id", kSeparates, "", "attention is global in front of this token"},
    {"pad_token_id", kPadPositions, "", "positions are counted over what is not this token"},
    {"pad_token_id", kPadFills, "", "the model masks it, or fills with it what it makes of labels"},
    {"pad_token_id", kPadClassifies, kClassification,
     "what stands in front of this token is classified"},
    {"pad_token_id", kPadBlank, "ForCTC", "it is the blank of the loss"},
});

}  // namespace

bool is_token_field(std::string_view field) {
  return std::ranges::any_of(kTokenFields,
                             [&](const TokenField& row) { return row.field == field; });
}

const TokenField* find_token_reader(std::string_view field, std::string_view model_type) {
  const auto row = std::ranges::find_if(kTokenFields, [&](const TokenField& each) {
    return each.field == field && lists_word(each.types, model_type);
  });
  return row == kTokenFields.end() ? nullptr : &*row;
}

}  // namespace samebits
