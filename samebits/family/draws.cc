#include "samebits/family/draws.h"

#include <algorithm>
#include <array>

#include "samebits/family/classes.h"

namespace samebits {
namespace {

constexpr std::array kDrawings = {
    Drawing{"vit_mae", "vit.embeddings", "torch.rand(batch, patches)", "noise"},
};

constexpr auto kProbabilities = std::to_array<std::string_view>(
    {"p", "drop_prob", "dropout_prob", "attention_dropout", "attn_pdrop", "dropout", "dropout_p",
     "attn_dropout", "attn_drop_p", "prob", "drop_path_prob", "layerdrop"});

struct FlagRow {
  std::string_view prefix;  // of the class path; the longest that fits decides
  FlagUse use;
};

constexpr auto kFlagRows = std::to_array<FlagRow>({
    {"torch.nn.modules.", FlagUse::never},
    {"torch.nn.modules.dropout.", FlagUse::dropout},
    {"torch.nn.modules.batchnorm.", FlagUse::statistics},
    {"torch.nn.modules.instancenorm.", FlagUse::statistics},
    {"torch.nn.modules.activation.RReLU", FlagUse::slope},
    {"torch.nn.modules.activation.MultiheadAttention", FlagUse::fast_path},
    {"torch.nn.modules.transformer.TransformerEncoder", FlagUse::fast_path},
    {"torch.nn.modules.rnn.", FlagUse::recurrent},
    {"torch.nn.parallel.", FlagUse::never},
    {"torch.nn.utils.parametrize.", FlagUse::never},
    {"torch.nn.utils.parametrizations._SpectralNorm", FlagUse::statistics},
    {"torch._dynamo.eval_frame.OptimizedModule", FlagUse::never},
    {"transformers.activations.", FlagUse::never},
    {"timm.models.vision_transformer.", FlagUse::dropout},
    {"timm.layers.activations", FlagUse::never},
    {"timm.layers.attention.", FlagUse::never},
    {"timm.layers.attention_pool.", FlagUse::never},
    {"timm.layers.layer_scale.", FlagUse::never},
    {"timm.layers.mlp.", FlagUse::never},
    {"timm.layers.norm.", FlagUse::never},
    {"timm.layers.patch_embed.", FlagUse::never},
    {"timm.layers.drop.", FlagUse::dropout},
    {"timm.layers.patch_dropout.", FlagUse::dropout},
    {"timm.layers.norm_act.BatchNormAct", FlagUse::statistics},
    {"timm.layers.norm_act.SyncBatchNormAct", FlagUse::statistics},
    {"timm.models.layers.drop.", FlagUse::dropout},
    {"timm.models.layers.mlp.", FlagUse::never},
    {"timm.models.layers.patch_embed.", FlagUse::never},
    {"torchvision.models.vision_transformer.", FlagUse::never},
    {"torchvision.ops.misc.", FlagUse::never},
    {"torchvision.ops.stochastic_depth.", FlagUse::dropout},
    {"torchvision.ops.drop_block.", FlagUse::dropout},
    {"models_mae.MaskedAutoencoderViT", FlagUse::never},
    {"models_vit.VisionTransformer", FlagUse::never},
});

}  // namespace

const Drawing* find_drawing(std::string_view model_type) {
  const auto found = std::ranges::find(kDrawings, model_type, &Drawing::model_type);
  return found == kDrawings.end() ? nullptr : &*found;
}

std::optional<FlagUse> flag_use(std::string_view class_path) {
  if (model::type_of_class(class_path) != nullptr) return FlagUse::dropout;
  const FlagRow* best = nullptr;
  for (const FlagRow& row : kFlagRows) {
    if (class_path.starts_with(row.prefix) &&
        (best == nullptr || row.prefix.size() > best->prefix.size()))
      best = &row;
  }
  return best == nullptr ? std::nullopt : std::optional(best->use);
}

std::span<const std::string_view> probability_attributes() { return kProbabilities; }

}  // namespace samebits
