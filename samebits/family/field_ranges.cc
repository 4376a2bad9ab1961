#include "samebits/family/field_ranges.h"

#include <array>

#include "samebits/base/limits.h"
#include "samebits/family/classes.h"

namespace samebits {
namespace {

constexpr FieldOf kConfig = FieldOf::config;
constexpr FieldOf kProcessor = FieldOf::processor;
constexpr FieldOf kModule = FieldOf::module;

constexpr auto kWidth = static_cast<double>(kLimits.model_width);
constexpr auto kInner = static_cast<double>(kLimits.model_inner_width);
constexpr auto kLayers = static_cast<double>(kLimits.model_layers);
constexpr auto kSide = static_cast<double>(kLimits.image_side);
constexpr auto kChannels = static_cast<double>(kLimits.image_channels);
constexpr auto kMostClasses = static_cast<double>(kLimits.classes);
constexpr double kFactor = 1e6;  // of factors without a natural end

constexpr std::string_view kIsWidth = "it is a width of the weights";
constexpr std::string_view kIsLayers = "it is a number of blocks";
constexpr std::string_view kIsHeads = "it is how many heads share the width";
constexpr std::string_view kIsSide = "it is pixels of one side of an image";
constexpr std::string_view kIsPatch = "it is pixels of one side of a patch";
constexpr std::string_view kIsProbability = "it is a probability";
constexpr std::string_view kIsEps = "it is added to a variance";
constexpr std::string_view kIsFactor = "it is a factor";
constexpr std::string_view kIsSwitch = "it switches something on or off";
constexpr std::string_view kIsName = "it is a name";
constexpr std::string_view kIsChannels = "it is a number for each channel";

constexpr std::string_view kVit = kFamilyClasses;
constexpr std::string_view kNorms =
    "torch.nn.modules.normalization. torch.nn.modules.batchnorm. torch.nn.modules.instancenorm.";
constexpr std::string_view kConv = "torch.nn.modules.conv.";
constexpr std::string_view kDrops = "timm.layers.drop. timm.models.layers.drop. *";
constexpr std::string_view kAttention = "torch.nn.modules.activation.MultiheadAttention";
constexpr std::string_view kTimm = "timm.layers.attention. timm.models.vision_transformer.";

constexpr auto make_ranges() {
  using enum FieldType;
  return std::to_array<FieldRange>({
      // config.json of the ViT family.
      {kConfig, "", "model_type", text, 0, 0, kIsName},
      {kConfig, "", "architectures", texts, 0, 0, "it names the classes", true},
      {kConfig, "", "hidden_size", whole, 1, kWidth, kIsWidth},
      {kConfig, "", "num_hidden_layers", whole, 0, kLayers, kIsLayers},
      {kConfig, "", "num_attention_heads", whole, 1, kWidth, kIsHeads},
      {kConfig, "", "intermediate_size", whole, 1, kInner, kIsWidth},
      {kConfig, "", "mlp_ratio", number, 0, 1024, "it is how many times wider a perceptron is"},
      {kConfig, "", "hidden_act", text, 0, 0, kIsName},
      {kConfig, "", "layer_norm_eps", number, 0, kFactor, kIsEps},
      {kConfig, "", "qkv_bias", flag, 0, 0, kIsSwitch},
      {kConfig, "", "image_size", sides, 1, kSide, kIsSide},
      {kConfig, "", "patch_size", sides, 1, kSide, kIsPatch},
      {kConfig, "", "num_channels", whole, 1, kChannels, "it is a number of channels"},
      {kConfig, "", "pooler_act", text, 0, 0, kIsName},
      {kConfig, "", "pooler_output_size", whole, 0, kWidth, kIsWidth, true},
      {kConfig, "", "encoder_stride", whole, 1, kSide, kIsPatch},
      {kConfig, "", "mask_ratio", number, 0, 1, "it is the share of patches that are removed"},
      {kConfig, "", "norm_pix_loss", flag, 0, 0, kIsSwitch},
      {kConfig, "", "decoder_hidden_size", whole, 1, kWidth, kIsWidth},
      {kConfig, "", "decoder_num_hidden_layers", whole, 0, kLayers, kIsLayers},
      {kConfig, "", "decoder_num_attention_heads", whole, 1, kWidth, kIsHeads},
      {kConfig, "", "decoder_intermediate_size", whole, 1, kInner, kIsWidth},
      {kConfig, "", "use_swiglu_ffn", flag, 0, 0, kIsSwitch},
      {kConfig, "", "num_register_tokens", whole, 0, kWidth, "it is a number of tokens"},
      {kConfig, "", "use_mask_token", flag, 0, 0, kIsSwitch},
      {kConfig, "", "apply_layernorm", flag, 0, 0, kIsSwitch},
      {kConfig, "", "reshape_hidden_states", flag, 0, 0, kIsSwitch},
      {kConfig, "", "hidden_dropout_prob", number, 0, 1, kIsProbability},
      {kConfig, "", "attention_probs_dropout_prob", number, 0, 1, kIsProbability},
      {kConfig, "", "drop_path_rate", number, 0, 1, kIsProbability},
      {kConfig, "", "initializer_range", number, 0, kFactor,
       "it is a deviation of initial weights"},
      {kConfig, "", "layerscale_value", number, -kFactor, kFactor, kIsFactor},
      {kConfig, "", "num_labels", whole, 0, kMostClasses, "it is a number of classes"},
      {kConfig, "", "id2label", labels, 0, kMostClasses, "it names the classes", true},
      {kConfig, "", "label2id", labels, 0, kMostClasses, "it numbers the classes", true},
      // preprocessor_config.json of ViT, DeiT, Bit and CLIP. A switch that is null is off.
      {kProcessor, "", "do_resize", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "size", size, 1, kSide, kIsSide, true},
      {kProcessor, "", "resample", resample, 0, 5, "it is the number of a filter of Pillow", true},
      {kProcessor, "", "do_center_crop", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "crop_size", size, 1, kSide, kIsSide, true},
      {kProcessor, "", "crop_pct", number, 0, 1, "it is a share of the image", true, true},
      {kProcessor, "", "do_rescale", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "rescale_factor", number, 0, kFactor, "it is a factor of pixels", true},
      {kProcessor, "", "do_normalize", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "image_mean", numbers, -kFactor, kFactor, kIsChannels, true},
      {kProcessor, "", "image_std", numbers, 0, kFactor, "pixels are divided by it", true, true},
      {kProcessor, "", "do_convert_rgb", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "do_flip_channel_order", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "do_pad", flag, 0, 0, kIsSwitch, true},
      {kProcessor, "", "pad_size", size, 1, kSide, kIsSide, true},
      // Attributes of pickled modules.
      {kModule, "torch.nn.modules.dropout. torchvision.ops.stochastic_depth.", "p", number, 0, 1,
       kIsProbability},
      {kModule, kDrops, "drop_prob", number, 0, 1, kIsProbability, true},
      {kModule, "timm.layers.patch_dropout.", "prob", number, 0, 1, kIsProbability},
      {kModule, kVit, "attention_dropout", number, 0, 1, kIsProbability},
      {kModule, kVit, "dropout_prob", number, 0, 1, kIsProbability},
      {kModule, kVit, "num_attention_heads", whole, 1, kWidth, kIsHeads},
      {kModule, kVit, "attention_head_size", whole, 1, kWidth, kIsWidth},
      {kModule, kVit, "head_dim", whole, 1, kWidth, kIsWidth},
      {kModule, kVit, "all_head_size", whole, 1, kWidth, kIsWidth},
      {kModule, kVit, "scaling", number, 0, kFactor, "it is a factor of attention scores"},
      {kModule, kVit, "image_size", sides, 1, kSide, kIsSide},
      {kModule, kVit, "patch_size", sides, 1, kSide, kIsPatch},
      {kModule, kVit, "num_channels", whole, 1, kChannels, "it is a number of channels"},
      {kModule, kTimm, "num_heads", whole, 1, kWidth, kIsHeads},
      {kModule, kTimm, "head_dim", whole, 1, kWidth, kIsWidth},
      {kModule, kTimm, "scale", number, 0, kFactor, "it is a factor of attention scores"},
      {kModule, kNorms, "eps", number, 0, kFactor, kIsEps, true},
      {kModule, kNorms, "momentum", number, 0, 1, "it is a share of running statistics", true},
      {kModule, kConv, "in_channels", whole, 0, kInner, kIsWidth},
      {kModule, kConv, "out_channels", whole, 0, kInner, kIsWidth},
      {kModule, kConv, "kernel_size", wholes, 1, kSide, "it is a size of the kernel"},
      {kModule, kConv, "stride", wholes, 1, kSide, "it is a step of the kernel"},
      {kModule, kConv, "padding", wholes, 0, kSide, "it is a border in pixels"},
      {kModule, kConv, "dilation", wholes, 1, kSide, "it is a step inside the kernel"},
      {kModule, kConv, "groups", whole, 1, kInner, "it divides the channels"},
      {kModule, kAttention, "num_heads", whole, 1, kWidth, kIsHeads},
      {kModule, kAttention, "head_dim", whole, 1, kWidth, kIsWidth},
      {kModule, kAttention, "embed_dim", whole, 1, kWidth, kIsWidth},
      {kModule, kAttention, "dropout", number, 0, 1, kIsProbability},
      {kModule, "torch.nn.modules.rnn.", "dropout", number, 0, 1, kIsProbability},
      {kModule, "torch.nn.modules.rnn.", "num_layers", whole, 1, kLayers, kIsLayers},
      {kModule, "torch.nn.modules.activation.RReLU", "lower", number, -kFactor, kFactor, kIsFactor},
      {kModule, "torch.nn.modules.activation.RReLU", "upper", number, -kFactor, kFactor, kIsFactor},
  });
}
constexpr auto kRanges = make_ranges();

constexpr auto kRelations = std::to_array<FieldRelation>({
    {"hidden_size", "num_attention_heads", true, "heads share the width equally"},
    {"decoder_hidden_size", "decoder_num_attention_heads", true, "heads share the width equally"},
    {"image_size", "patch_size", false, "an image has at least one patch"},
});

constexpr auto kProcessors = std::to_array<std::string_view>({"ViT", "DeiT", "Bit", "CLIP"});

}  // namespace

std::span<const FieldRange> field_ranges() { return kRanges; }
std::span<const FieldRelation> field_relations() { return kRelations; }

bool has_known_fields(const Json& config) {
  const auto type = config.find("model_type");
  if (type == config.end() || !type->is_string()) return true;
  return model::find_model_type(type->get_ref<const std::string&>()) != nullptr;
}

bool is_known_processor(std::string_view name) {
  const auto without = [&name](std::string_view ending) {
    if (!name.ends_with(ending)) return false;
    name.remove_suffix(ending.size());
    return true;
  };
  if (!without("Fast")) without("Pil");
  if (!without("ImageProcessor") && !without("FeatureExtractor")) return false;
  for (const std::string_view known : kProcessors) {
    if (name == known) return true;
  }
  return false;
}

}  // namespace samebits
