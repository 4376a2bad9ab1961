#include "samebits/family/config_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <vector>

#include "samebits/family/classes.h"
#include "samebits/family/field_rows.h"
#include "samebits/family/word_list.h"

namespace samebits {
namespace {

constexpr std::string_view kPooled = "vit deit";
constexpr std::string_view kDino = "dinov2 dinov2_with_registers";

/// Models that compute by position_embedding_type in 4.57.6 alone.
constexpr std::string_view kPositionsIn4 =
    "albert align altclip bert bert-generation big_bird blip blip-2 blip_2_qformer "
    "bridgetower bros camembert canine chinese_clip chinese_clip_vision_model clap "
    "data2vec-text electra ernie flava git granitemoe granitemoeshared ibert instructblip "
    "instructblipvideo lilt megatron-bert mra nystromformer roberta roberta-prelayernorm "
    "roc_bert splinter superglue vilt xlm-roberta xlm-roberta-xl xmod yoso";

constexpr std::string_view kGenerate = "read by generate() only, never by a forward pass";
constexpr std::string_view kText = "read by text models only";
constexpr std::string_view kTensorFlow = "read by TensorFlow models only";
constexpr std::string_view kShapes = kShapesChange;
constexpr std::string_view kBackbone = "a backbone returns other feature maps";
constexpr std::string_view kTransform = "timm prepares images by it";
constexpr std::string_view kBook = "bookkeeping of the library";
constexpr std::string_view kRouter =
    "adds the router's loss, or returns its logits beside the others";

constexpr auto kConfigFields = std::to_array<ConfigField>({
    // The model.
    {"", "model_type", kOutputs, "", "another architecture", true},
    {"", "hidden_size", kOutputs, "", kShapes},
    {"", "num_hidden_layers", kOutputs, "", kBlockCount},
    {"", "num_attention_heads", kOutputs, "", "query, key and value are split into other heads"},
    {"", "intermediate_size", kOutputs, "", kShapes},
    {"", "mlp_ratio", kOutputs, "", kShapes},
    {"", "hidden_act", kOutputs, "", "another activation in every MLP"},
    {"", "layer_norm_eps", kOutputs, "", "every layer norm divides by another number"},
    {"", "qkv_bias", kOutputs, "", "query, key and value lose or gain a bias"},
    {"", "image_size", kOutputs, "", "the number of patches and positions changes"},
    {"", "patch_size", kOutputs, "", "the image is cut into other patches"},
    {"", "num_channels", kOutputs, "", kShapes},
    {"", "pooler_act", kOutputs, "", "another activation after the pooler"},
    {"", "pooler_output_size", kOutputs, "", "the pooler has another width"},
    {"", "encoder_stride", kOutputs, "",
     "masked image modeling reconstructs at another resolution"},
    {"", "mask_ratio", kOutputs, "", "the number of visible tokens changes"},
    {"", "norm_pix_loss", kOutputs, "",
     "the loss is taken on normalized pixels; logits stay as they are"},
    {"", "decoder_hidden_size", kOutputs, "", kShapes},
    {"", "decoder_intermediate_size", kOutputs, "", kShapes},
    {"", "decoder_num_attention_heads", kOutputs, "",
     "query, key and value are split into other heads"},
    {"", "decoder_num_hidden_layers", kOutputs, "", "the decoder has another number of blocks"},
    {"", "use_swiglu_ffn", kOutputs, "", "a gated MLP replaces the plain one, or the reverse"},
    {"", "num_register_tokens", kOutputs, "", "the number of register tokens changes"},
    {"", "use_mask_token", kOutputs, "", "bool_masked_pos is ignored without a mask token"},
    {"", "apply_layernorm", kOutputs, "", kBackbone},
    {"", "reshape_hidden_states", kOutputs, "", kBackbone},
    {"", "out_features", kOutputs, "", kBackbone},
    {"", "out_indices", kOutputs, "", kBackbone},
    {"", "_sliding_window_pattern", kNothing, "", "the class sets it anew"},
    {"", "sliding_window_pattern", kOutputs, "", kLayerKinds},
    {"", "no_rope_layer_interval", kOutputs, "", kLayerKinds},
    {"", "full_attn_idxs", kOutputs, "", kLayerKinds},
    {"deepseek_v3 glm4_moe", "num_nextn_predict_layers", kNothing, "",
     "no module of transformers is built from it"},
    {"modernbert modernbert-decoder", "repad_logits_with_grad", kTraining, "",
     "acts with gradients only"},
    {"modernbert modernbert-decoder", "reference_compile", kNumerics, "",
     "compiles parts of the model"},
    {"levit", "down_ops", kNothing, "", "the class computes it from its other fields"},
    {"", "stage_names", kNothing, "", "follows from the number of blocks"},
    {"", "num_labels", kOutputs, "", "the classifier has another number of rows"},
    {"", "pruned_heads", kVersion, "",
     "transformers 4 builds the blocks without these heads, and 5 does not read it"},
    {"", "per_layer_config", kOutputs, "", "single layers are built otherwise"},
    {"", "num_local_experts", kOutputs, "", "the number of experts changes"},
    // timm's config.json.
    {"", "architecture", kOutputs, "", "another architecture"},
    {"", "model_args", kOutputs, "", "an argument of the model's constructor"},
    {"", "global_pool", kOutputs, "", "tokens are pooled otherwise"},
    {"", "num_classes", kOutputs, "", "the classifier has another number of rows"},
    {"", "num_features", kNothing, "", "follows from the architecture"},
    {"", "pretrained_cfg", kNothing, "", "where the weights came from"},
    {"", "pretrained_cfg.mean", kInput, "", kTransform},
    {"", "pretrained_cfg.std", kInput, "", kTransform},
    {"", "pretrained_cfg.interpolation", kInput, "", kTransform},
    {"", "pretrained_cfg.crop_pct", kInput, "", kTransform},
    {"", "pretrained_cfg.crop_mode", kInput, "", kTransform},
    {"", "pretrained_cfg.input_size", kInput, "", kTransform},
    {"", "tie_last_hidden_states", kOutputs, "",
     "hidden_states[-1] is taken before or after the last norm"},
    {"", "rope_parameters", kOutputs, "", "rotary embeddings turn by other angles"},
    {"", "quantization_config", kOutputs, "", "the weights are quantized when they are loaded"},
    // Training and initialization.
    {"", "hidden_dropout_prob", kTraining, "", kDropout},
    {"", "attention_probs_dropout_prob", kTraining, "", kDropout},
    {"", "drop_path_rate", kTraining, "", "drop path acts in training mode only"},
    {"", "initializer_range", kTraining, "", "scales initial weights only"},
    {"", "layerscale_value", kTraining, "", "an initial value, which the weights replace"},
    {"", "problem_type", kTraining, "", "chooses the loss only"},
    {"", "initializer_factor", kTraining, "", "scales initial weights only"},
    {"", "output_router_logits", kTraining, "false", kRouter},
    {"", "router_aux_loss_coef", kTraining, "", kRouter},
    {"", "aux_loss_alpha", kTraining, "", kRouter},
    {"", "seq_aux", kTraining, "", kRouter},
    {"", "gradient_checkpointing", kTraining, "false", "recomputes activations in training"},
    // Rounding.
    {"", "dtype", kNumerics, "",
     "the type that transformers 5 loads in; where it is absent it takes that of the weights, and "
     "transformers 4 takes float32 in any case"},
    {"", "attn_implementation", kNumerics, "", "another attention kernel rounds otherwise"},
    {"", "experts_implementation", kNumerics, "", "another kernel rounds otherwise", true},
    {"", "use_associative_scan", kNumerics, "", "another algorithm sums in another order"},
    {"", "use_mambapy", kNumerics, "false", "another algorithm sums in another order", true},
    {"", "use_falcon_mambapy", kNumerics, "false", "another algorithm sums in another order", true},
    {"", "output_attentions", kNumerics, "false",
     "attention weights come from the eager kernel alone"},
    {"", "chunk_size_feed_forward", kNumerics, "0", "the MLP runs on parts of the sequence"},
    // Bookkeeping.
    {"", "output_hidden_states", kNothing, "false", "more is returned; nothing is computed anew"},
    {"", "return_dict", kLabels, "true",
     "a tuple has no names, and forward passes that read an inner model's outputs by name raise"},
    {"", "torchscript", kNothing, "false", "prepares for export only"},
    {"", "architectures", kNothing, "", "names the class that was saved", true},
    {"", "transformers_version", kNothing, "", kBook, true},
    {"", "_name_or_path", kNothing, "", "where it was loaded from", true},
    {"", "_commit_hash", kNothing, "", kBook},
    {"", "_label_trainable_num_channels", kNothing, "", kBook},
    {"", "ignore_keys_at_rope_validation", kNothing, "", kBook},
    {"", "_attn_implementation_autoset", kNothing, "", kBook},
    {"", "_post_init_done", kNothing, "", kBook},
    {"", "transformers.js_config", kNothing, "", "read by another library"},
    {"", "id2label", kNothing, "", "names of classes"},
    {"", "label2id", kNothing, "", "names of classes"},
    {"", "finetuning_task", kNothing, "", kBook},
    {"", "task_specific_params", kNothing, "", kBook},
    {"", "tokenizer_class", kNothing, "", kText},
    {"", "prefix", kNothing, "", kText},
    {"", "use_cache", kNothing, "true", kGenerate},
    {"", "tf_legacy_loss", kNothing, "false", kTensorFlow},
    {"", "use_bfloat16", kNothing, "false", kTensorFlow},
    {"", "auto_map", FieldEffect::unknown, "", "code beside the weights would run in their place"},
    // Of text models: nothing that the ViT family reads.
    {"", "tie_word_embeddings", kOutputs, "", "input and output embeddings are shared or not"},
    {"", "position_embedding_type", kOutputs, "", "positions enter attention otherwise"},
    {kPositionsIn4, "position_embedding_type", kVersion, "\"absolute\"",
     "positions enter attention otherwise in transformers 4, and 5 does not read it"},
    {kEveryType, "position_embedding_type", kNothing, "", kText},
    {"", "is_decoder", kOutputs, "false", "attention becomes causal"},
    {"", "is_encoder_decoder", kOutputs, "false", "another architecture"},
    {"", "add_cross_attention", kOutputs, "false", "layers are added"},
    {"", "cross_attention_hidden_size", kOutputs, "", kShapes},
    {"", "tie_encoder_decoder", kOutputs, "false", "encoder and decoder share weights or not"},
    {kEveryType, "chunk_size_feed_forward", kNothing, "0", "stored and never read by this family"},
    {kEveryType, "tie_word_embeddings", kNothing, "true", kText},
    {kEveryType, "is_decoder", kNothing, "false", kText},
    {kEveryType, "is_encoder_decoder", kNothing, "false", kText},
    {kEveryType, "add_cross_attention", kNothing, "false", kText},
    {kEveryType, "cross_attention_hidden_size", kNothing, "", kText},
    {kEveryType, "tie_encoder_decoder", kNothing, "false", kText},
    {kEveryType, "output_attentions", kNothing, "false",
     "more is returned; nothing is computed anew"},
    {kEveryType, "experts_implementation", kNothing, "", "this family has no experts", true},
    // Of generate().
    {"", "max_length", kNothing, "20", kGenerate},
    {"", "min_length", kNothing, "0", kGenerate},
    {"", "do_sample", kNothing, "false", kGenerate},
    {"", "early_stopping", kNothing, "false", kGenerate},
    {"", "num_beams", kNothing, "1", kGenerate},
    {"", "temperature", kNothing, "1", kGenerate},
    {"", "top_k", kNothing, "50", kGenerate},
    {"", "top_p", kNothing, "1", kGenerate},
    {"", "typical_p", kNothing, "1", kGenerate},
    {"", "repetition_penalty", kNothing, "1", kGenerate},
    {"", "length_penalty", kNothing, "1", kGenerate},
    {"", "no_repeat_ngram_size", kNothing, "0", kGenerate},
    {"", "encoder_no_repeat_ngram_size", kNothing, "0", kGenerate},
    {"", "bad_words_ids", kNothing, "", kGenerate},
    {"", "num_return_sequences", kNothing, "1", kGenerate},
    {"", "output_scores", kNothing, "false", kGenerate},
    {"", "return_dict_in_generate", kNothing, "false", kGenerate},
    {"", "forced_bos_token_id", kNothing, "", kGenerate},
    {"", "forced_eos_token_id", kNothing, "", kGenerate},
    {"", "remove_invalid_values", kNothing, "false", kGenerate},
    {"", "exponential_decay_length_penalty", kNothing, "", kGenerate},
    {"", "suppress_tokens", kNothing, "", kGenerate},
    {"", "begin_suppress_tokens", kNothing, "", kGenerate},
    {"", "num_beam_groups", kNothing, "1", kGenerate},
    {"", "diversity_penalty", kNothing, "0", kGenerate},
    // Read in a forward pass all the same.
    {"tapas", "temperature", kOutputs, "1", "logits are divided by it"},
    {"audio-spectrogram-transformer", "max_length", kOutputs, "1024",
     "the number of patches and positions changes"},
});

constexpr auto kConfigDefaults = std::to_array<ConfigDefault>({
    {kEveryType, "hidden_size", "768"},
    {kEveryType, "num_hidden_layers", "12"},
    {kEveryType, "num_attention_heads", "12"},
    {kEveryType, "hidden_act", "\"gelu\""},
    {kEveryType, "hidden_dropout_prob", "0"},
    {kEveryType, "attention_probs_dropout_prob", "0"},
    {kEveryType, "initializer_range", "0.02"},
    {kEveryType, "image_size", "224"},
    {kEveryType, "num_channels", "3"},
    {kEveryType, "qkv_bias", "true"},
    {"vit vit_mae deit", "intermediate_size", "3072"},
    {"vit vit_mae deit", "layer_norm_eps", "1e-12"},
    {"vit vit_mae deit dinov2_with_registers", "patch_size", "16"},
    {kPooled, "encoder_stride", "16"},
    {kPooled, "pooler_act", "\"tanh\""},
    {"vit_mae", "decoder_num_attention_heads", "16"},
    {"vit_mae", "decoder_hidden_size", "512"},
    {"vit_mae", "decoder_num_hidden_layers", "8"},
    {"vit_mae", "decoder_intermediate_size", "2048"},
    {"vit_mae", "mask_ratio", "0.75"},
    {"vit_mae", "norm_pix_loss", "false"},
    {"dinov2", "patch_size", "14"},
    {"dinov2", "use_mask_token", "true"},
    {"dinov2_with_registers", "num_register_tokens", "4"},
    {kDino, "mlp_ratio", "4"},
    {kDino, "layer_norm_eps", "1e-06"},
    {kDino, "layerscale_value", "1"},
    {kDino, "drop_path_rate", "0"},
    {kDino, "use_swiglu_ffn", "false"},
    {kDino, "apply_layernorm", "true"},
    {kDino, "reshape_hidden_states", "true"},
});

// The first that is present counts.
constexpr auto kAliases = std::to_array<FieldAlias>({
    {"torch_dtype", "dtype"},
    {"_attn_implementation", "attn_implementation"},
    {"_attn_implementation_internal", "attn_implementation"},
    {"_experts_implementation", "experts_implementation"},
    {"_experts_implementation_internal", "experts_implementation"},
    {"_output_attentions", "output_attentions"},
    {"_out_features", "out_features"},
    {"_out_indices", "out_indices"},
    {"num_experts", "num_local_experts"},
    {"name_or_path", "_name_or_path"},
});

/// Whether a row with these types is for that one.
bool lists(std::string_view models, std::string_view model_type) {
  if (models.empty()) return true;
  if (models == kEveryType) return model::find_model_type(model_type) != nullptr;
  return lists_word(models, model_type);
}

}  // namespace

std::span<const ConfigField> config_field_rows() {
  static const std::vector<ConfigField> rows = [] {
    std::vector<ConfigField> all(kConfigFields.begin(), kConfigFields.end());
    for (const auto part : {layer_field_rows(), training_field_rows()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return rows;
}
std::span<const ConfigDefault> config_default_rows() { return kConfigDefaults; }
std::span<const FieldAlias> config_aliases() { return kAliases; }

const char* field_effect_name(FieldEffect effect) {
  switch (effect) {
    case FieldEffect::outputs: return "outputs";
    case FieldEffect::training: return "training";
    case FieldEffect::numerics: return "numerics";
    case FieldEffect::version: return "version";
    case FieldEffect::labels: return "labels";
    case FieldEffect::input: return "input";
    case FieldEffect::nothing: return "nothing";
    case FieldEffect::unknown: return "unknown";
  }
  return "unknown";
}

std::optional<double> default_number(std::string_view model_type, std::string_view field) {
  std::optional<std::string_view> text;
  for (const ConfigDefault& row : kConfigDefaults) {
    if (row.name != field) continue;
    const bool own = lists(row.models, model_type);
    if (own || !text) text = row.fallback;
    if (own) break;
  }
  double number = 0;
  if (!text) return std::nullopt;
  const auto end = std::from_chars(text->data(), text->data() + text->size(), number);
  return end.ec == std::errc() ? std::optional(number) : std::nullopt;
}

bool is_of_generate(const ConfigField& row) { return row.why == kGenerate; }

bool says_shapes(std::string_view field) {
  constexpr auto kFields = std::to_array<std::string_view>(
      {"num_labels", "image_size", "patch_size", "num_channels", "hidden_size", "intermediate_size",
       "num_hidden_layers", "mlp_ratio", "vocab_size", "max_position_embeddings", "type_vocab_size",
       "num_register_tokens", "decoder_hidden_size", "decoder_intermediate_size",
       "decoder_num_hidden_layers", "num_frames", "pooler_output_size", "window_size"});
  field = field.substr(field.rfind('.') + 1);
  return std::ranges::find(kFields, field) != kFields.end() ||
         std::ranges::any_of(config_field_rows(), [&](const ConfigField& row) {
           return row.name == field && (row.why == kShapesChange || row.why == kBlockCount);
         });
}

bool has_default(std::string_view model_type, std::string_view field) {
  return std::ranges::any_of(kConfigDefaults, [&](const ConfigDefault& row) {
    return row.name == field && lists(row.models, model_type);
  });
}

ConfigTable::ConfigTable(std::string_view model_type) {
  for (const ConfigField& field : config_field_rows()) {
    if (lists(field.models, model_type)) fields_[field.name] = field;
  }
  for (const ConfigDefault& row : kConfigDefaults) {
    if (lists(row.models, model_type)) fields_.at(row.name).fallback = row.fallback;
  }
}

const ConfigField* ConfigTable::find(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? nullptr : &found->second;
}

}  // namespace samebits
