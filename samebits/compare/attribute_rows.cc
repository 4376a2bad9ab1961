// Source: torch.nn of torch 2.13, transformers 4.57.6 and 5.24.0, Lightning 2.6; the names that
// users give are those of published training scripts.
#include "samebits/compare/attribute_rows.h"

#include <algorithm>
#include <array>
#include <string>

namespace samebits {
namespace {

constexpr AttributeEffect kMoves = AttributeEffect::outputs;
constexpr AttributeEffect kInTraining = AttributeEffect::training;
constexpr AttributeEffect kLearning = AttributeEffect::learning;
constexpr AttributeEffect kStill = AttributeEffect::nothing;
constexpr AttributeEffect kUnsure = AttributeEffect::unknown;

constexpr std::string_view kOfShapes = "the shapes of the weights say it";
constexpr std::string_view kActsInTraining = "it acts in training mode only";
constexpr std::string_view kOfGradients = "it is about gradients";
constexpr std::string_view kOfStatistics = "it says how running statistics are updated";
constexpr std::string_view kLightning = "bookkeeping of Lightning";
constexpr std::string_view kTransformers = "bookkeeping of transformers";
constexpr std::string_view kRunName = "by its name a run or a place";
constexpr std::string_view kCounter = "by its name a counter or a record of a training";
constexpr std::string_view kOfPowerSteps = "its vectors move in training mode only";
constexpr std::string_view kLeftByTorch = "torch leaves it there";
constexpr std::string_view kPrivate = "what a library's class keeps for itself";

constexpr auto kAttributeRows = std::to_array<AttributeRow>({
    // Of every class.
    {"", "forward", kMoves, "a function stands in place of the class's forward pass"},
    {"", "_forward_hooks", kMoves, "hooks see every output and may replace it"},
    {"", "_forward_pre_hooks", kMoves, "hooks see every input and may replace it"},
    {"", "_is_hf_initialized", kStill, kTransformers},
    {"transformers.", "attn_implementation", kStill, "names the kernel, which the config says"},
    {"", "_hf_peft_config_loaded", kStill, kTransformers},
    {"", "_trainer", kStill, kLightning},
    {"", "_fabric", kStill, kLightning},
    {"", "_fabric_optimizers", kStill, kLightning},
    {"", "_log_hyperparams", kStill, kLightning},
    {"", "_hparams_name", kStill, kLightning},
    {"", "_hparams_initial", kStill, "a copy of the hyper-parameters as they were given"},
    {"", "prepare_data_per_node", kStill, kLightning},
    {"", "allow_zero_length_dataloader_with_multiple_devices", kStill, kLightning},
    {"", "_example_input_array", kStill, kLightning},
    {"", "_automatic_optimization", kStill, kLightning},
    {"", "_param_requires_grad_state", kStill, kLightning},
    {"", "_metric_attributes", kStill, kLightning},
    {"", "_compiler_ctx", kStill, kLightning},
    {"", "_current_fx_name", kStill, kLightning},
    {"", "_dtype", kStill, kLightning},
    {"", "_device", kStill, kLightning},
    {"", "_strict_loading", kStill, kLightning},
    {"", "_jit_is_scripting", kStill, kLightning},
    {"", "_should_prevent_trainer_and_dataloaders_deepcopy", kStill, kLightning},
    // What torch.jit.script, torch.compile and the wrappers of parallel training set on a module of
    // any class (jit/_recursive.py, _dynamo/eval_frame.py, distributed/).
    {"", "__overloads__", kStill, kLeftByTorch},
    {"", "_is_torch_compile", kStill, kLeftByTorch},
    {"", "_ddp_params_and_buffers_to_ignore", kStill, kLeftByTorch},
    {"", "_is_fsdp_managed_module", kStill, kLeftByTorch},
    {"", "_fsdp_use_orig_params", kStill, kLeftByTorch},
    {"", "_wrap_overrides", kStill, kLeftByTorch},
    {"", "_state_dict_type", kStill, kLeftByTorch},
    {"", "_state_dict_config", kStill, kLeftByTorch},
    {"", "_optim_state_dict_config", kStill, kLeftByTorch},
    {"", "_distribute_module_applied", kStill, kLeftByTorch},
    {"", "_is_replica", kStill, kLeftByTorch},
    {"", "_former_parameters", kStill, kLeftByTorch},
    {"", "_backward_hooks", kStill, kActsInTraining},
    {"", "gradient_checkpointing", kInTraining, "it recomputes activations in training"},
    {"", "_gradient_checkpointing_func", kInTraining, "it recomputes activations in training"},
    {"", "run_name", kStill, kRunName},
    {"", "run_id", kStill, kRunName},
    {"", "run_dir", kStill, kRunName},
    {"", "experiment", kStill, kRunName},
    {"", "experiment_name", kStill, kRunName},
    {"", "exp_name", kStill, kRunName},
    {"", "project_name", kStill, kRunName},
    {"", "log_dir", kStill, kRunName},
    {"", "logdir", kStill, kRunName},
    {"", "log_path", kStill, kRunName},
    {"", "log_folder", kStill, kRunName},
    {"", "output_dir", kStill, kRunName},
    {"", "out_dir", kStill, kRunName},
    {"", "save_dir", kStill, kRunName},
    {"", "save_path", kStill, kRunName},
    {"", "checkpoint_dir", kStill, kRunName},
    {"", "checkpoint_path", kStill, kRunName},
    {"", "ckpt_dir", kStill, kRunName},
    {"", "ckpt_path", kStill, kRunName},
    {"", "cache_dir", kStill, kRunName},
    {"", "name_or_path", kStill, kRunName},
    {"", "author", kStill, kRunName},
    {"", "created_at", kStill, kRunName},
    {"", "timestamp", kStill, kRunName},
    {"", "comment", kStill, kRunName},
    {"", "description", kStill, kRunName},
    {"", "notes", kStill, kRunName},
    {"", "tags", kStill, kRunName},
    {"", "logger", kStill, kCounter},
    {"", "log_every", kStill, kCounter},
    {"", "global_step", kStill, kCounter},
    {"", "current_step", kStill, kCounter},
    {"", "step_count", kStill, kCounter},
    {"", "iteration", kStill, kCounter},
    {"", "epoch", kStill, kCounter},
    {"", "current_epoch", kStill, kCounter},
    {"", "best_loss", kStill, kCounter},
    {"", "best_acc", kStill, kCounter},
    {"", "best_epoch", kStill, kCounter},
    {"", "best_metric", kStill, kCounter},
    {"", "train_loss", kStill, kCounter},
    {"", "val_loss", kStill, kCounter},
    {"", "train_losses", kStill, kCounter},
    {"", "val_losses", kStill, kCounter},
    {"", "history", kStill, kCounter},
    // torch.
    {"torch.nn.", "*", kMoves, "the layer computes differently"},
    {"torch.ao.", "*", kMoves, "the layer computes differently"},
    {"torch.", "device", kStill, "where to compute, not what"},
    {"torch.nn.", "inplace", kStill, "the same values, in the memory of the input"},
    {"torch.nn.", "in_features", kStill, kOfShapes},
    {"torch.nn.", "out_features", kStill, kOfShapes},
    {"torch.nn.", "in_channels", kStill, kOfShapes},
    {"torch.nn.", "out_channels", kStill, kOfShapes},
    {"torch.nn.", "num_embeddings", kStill, kOfShapes},
    {"torch.nn.", "embedding_dim", kStill, kOfShapes},
    {"torch.nn.", "num_features", kStill, kOfShapes},
    {"torch.nn.", "num_channels", kStill, kOfShapes},
    {"torch.nn.", "elementwise_affine", kStill, kOfShapes},
    {"torch.nn.", "affine", kStill, kOfShapes},
    {"torch.nn.", "bias", kStill, kOfShapes},
    {"torch.nn.modules.rnn.", "bias", kMoves, "the layer takes other weights for biases"},
    {"torch.nn.modules.instancenorm.", "affine", kStill, kOfShapes},
    {"torch.nn.modules.conv.", "kernel_size", kStill, kOfShapes},
    {"torch.nn.modules.conv.", "transposed", kStill, "the class says it"},
    {"torch.nn.modules.conv.", "output_padding", kStill, "transposed convolutions alone read it"},
    {"torch.nn.modules.conv.ConvTranspose", "output_padding", kMoves,
     "the layer computes differently"},
    {"torch.nn.modules.linear.Bilinear", "in1_features", kStill, kOfShapes},
    {"torch.nn.modules.linear.Bilinear", "in2_features", kStill, kOfShapes},
    {"torch.nn.modules.rnn.", "nonlinearity", kStill, "the layer reads its mode"},
    {"torch.nn.modules.activation.PReLU", "num_parameters", kStill, kOfShapes},
    {"torch.nn.modules.activation.MultiheadAttention", "kdim", kStill, kOfShapes},
    {"torch.nn.modules.activation.MultiheadAttention", "vdim", kStill, kOfShapes},
    {"torch.nn.modules.transformer.TransformerEncoder", "num_layers", kStill,
     "all layers of the list run"},
    {"torch.nn.modules.transformer.TransformerDecoder", "num_layers", kStill,
     "all layers of the list run"},
    {"torch.nn.modules.upsampling.", "recompute_scale_factor", kUnsure,
     "it moves outputs where sizes are no multiples"},
    {"torch.nn.modules.sparse.Embedding", "sparse", kLearning, kOfGradients},
    {"torch.nn.modules.sparse.Embedding", "scale_grad_by_freq", kLearning, kOfGradients},
    {"torch.nn.modules.sparse.Embedding", "padding_idx", kLearning, kOfGradients},
    {"torch.nn.modules.sparse.EmbeddingBag", "padding_idx", kMoves,
     "the row is left out of every bag"},
    {"torch.nn.modules.dropout.", "p", kInTraining, "dropout acts in training mode only"},
    {"torch.nn.modules.batchnorm.", "momentum", kLearning, kOfStatistics},
    {"torch.nn.modules.batchnorm.", "process_group", kInTraining,
     "it says which processes share the statistics of a batch"},
    {"torch.nn.modules.instancenorm.", "momentum", kLearning, kOfStatistics},
    {"torch.nn.modules.rnn.", "dropout", kInTraining, "dropout acts in training mode only"},
    {"torch.nn.modules.activation.MultiheadAttention", "dropout", kInTraining,
     "dropout acts in training mode only"},
    {"torch.nn.modules.activation.RReLU", "lower", kMoves, "the slope is the mean of both"},
    {"torch.nn.modules.transformer.TransformerEncoder", "enable_nested_tensor", kStill,
     "chooses a fast path for padded input"},
    {"torch.nn.modules.transformer.TransformerEncoder", "use_nested_tensor", kStill,
     "chooses a fast path for padded input"},
    {"torch.nn.modules.transformer.TransformerEncoder", "mask_check", kStill,
     "chooses a fast path for padded input"},
    {"torch.nn.modules.transformer.TransformerEncoderLayer", "activation_relu_or_gelu", kStill,
     "follows from the activation"},
    {"torch.nn.modules.loss.", "*", kStill, "a loss is no output"},
    {"torch.nn.parallel.", "*", kStill, "how work is divided, not what is computed"},
    {"torch.distributed.", "*", kStill, "how work is divided, not what is computed"},
    {"torch._dynamo.", "*", kStill, "how code is compiled"},
    {"torch.optim.swa_utils.", "*", kStill, "how an average is updated"},
    {"torchmetrics.", "*", kStill, "a metric is no output"},
    // Libraries of models.
    {"transformers.", "warnings_issued", kStill, kTransformers},
    {"transformers.", "generation_config", kStill, "read by generate() only"},
    {"transformers.", "main_input_name", kStill, kTransformers},
    {"transformers.", "device", kStill, "where to compute, not what"},
    {"transformers.", "framework", kStill, kTransformers},
    {"transformers.", "model_tags", kStill, kTransformers},
    {"transformers.", "hf_device_map", kStill, "where to compute, not what"},
    {"transformers.", "all_tied_weights_keys", kStill, kTransformers},
    {"transformers.", "is_quantized", kStill, kTransformers},
    {"transformers.", "layer_idx", kStill, "it counts layers in a cache"},
    {"transformers.", "num_labels", kStill, kOfShapes},
    {"transformers.", "loss_type", kStill, "a loss is no output"},
    {"transformers.", "backbone_type", kStill, "it says where the backbone's class comes from"},
    {"transformers.", "layerdrop", kInTraining, kActsInTraining},
    {"transformers.", "dropout", kInTraining, "dropout acts in training mode only"},
    {"transformers.", "dropout_prob", kInTraining, "dropout acts in training mode only"},
    {"transformers.", "drop_prob", kInTraining, "drop path acts in training mode only"},
    {"transformers.", "attention_dropout", kInTraining, "dropout acts in training mode only"},
    {"transformers.", "hidden_dropout", kInTraining, "dropout acts in training mode only"},
    {"transformers.", "activation_dropout", kInTraining, "dropout acts in training mode only"},
    {"timm.", "drop_prob", kInTraining, "drop path acts in training mode only"},
    {"timm.", "scale_by_keep", kInTraining, "drop path acts in training mode only"},
    {"timm.", "grad_checkpointing", kInTraining, "it recomputes activations in training"},
    {"timm.", "default_cfg", kStill, "bookkeeping of timm"},
    {"timm.", "pretrained_cfg", kStill, "bookkeeping of timm"},
    {"timm.", "fused_attn", kStill, "chooses between kernels"},
    {"timm.layers.norm", "*", kMoves, "the layer computes differently"},
    {"torchvision.", "p", kInTraining, kActsInTraining},
    {"transformers.activations.", "*", kMoves, "another function"},
    {"lightning.", "*", kStill, kLightning},
    {"pytorch_lightning.", "*", kStill, kLightning},
});

// Of libraries' classes: names that mean the same in all of them.
constexpr auto kMovers = std::to_array<std::string_view>({"act",
                                                          "act_fn",
                                                          "activation",
                                                          "activation_fn",
                                                          "approximate",
                                                          "dilation",
                                                          "eps",
                                                          "epsilon",
                                                          "groups",
                                                          "head_dim",
                                                          "attention_head_size",
                                                          "intermediate_act_fn",
                                                          "hidden_act",
                                                          "is_causal",
                                                          "kernel_size",
                                                          "mask_ratio",
                                                          "n_head",
                                                          "norm_first",
                                                          "num_attention_heads",
                                                          "num_heads",
                                                          "num_key_value_groups",
                                                          "num_key_value_heads",
                                                          "padding",
                                                          "patch_size",
                                                          "pool_type",
                                                          "global_pool",
                                                          "position_embedding_type",
                                                          "scale",
                                                          "scale_attn_weights",
                                                          "scaling",
                                                          "shift_size",
                                                          "stride",
                                                          "variance_epsilon",
                                                          "window_size"});

/// Attributes that one version of a class sets otherwise than the other, and reads otherwise:
/// 4.57.6 passes its own flag beside that of GPT-2's cross attention, and Gemma's mask says what it
/// attends to where the flag does not.
struct OtherInVersions {
  std::string_view class_name, attribute;
};
constexpr OtherInVersions kOtherInVersions[] = {{"GPT2Attention", "is_causal"},
                                                {"GemmaAttention", "is_causal"}};

constexpr auto kLibraries = std::to_array<std::string_view>(
    {"torch.", "transformers.", "timm.", "torchvision.", "torchmetrics.", "lightning.",
     "pytorch_lightning.", "peft.", "accelerate.", "sentence_transformers.", "diffusers."});

constexpr auto kNothingInEvaluation = std::to_array<std::string_view>(
    {"torch.nn.modules.container.", "torch.nn.modules.linear.Identity", "torch.nn.modules.dropout.",
     "torch.nn.modules.loss.", "torch.nn.parallel.", "torch.distributed.", "torch._dynamo.",
     "torchmetrics.", "torch.nn.modules.module.Module", "timm.layers.drop.",
     "torchvision.ops.stochastic_depth.", "torch.optim.swa_utils."});

constexpr std::pair<std::string_view, std::string_view> kOneFunction[] = {
    {"PytorchGELUTanh", "GELUTanh"},
    {"SiLU", "SiLUActivation"},
    {"NonDynamicallyQuantizableLinear", "Linear"},
    {"SyncBatchNorm", "BatchNorm2d"},
    // Kernels of one class of transformers 4 whose names do not say so.
    {"DistilBertSdpaAttention", "MultiHeadSelfAttention"},
    {"DistilBertFlashAttention2", "MultiHeadSelfAttention"}};

template <std::size_t N>
bool begins_with_any(std::string_view text, const std::array<std::string_view, N>& beginnings) {
  return std::ranges::any_of(beginnings,
                             [&](std::string_view part) { return text.starts_with(part); });
}

/// transformers 4 names its attention classes after their kernels, too: BertSdpaSelfAttention.
std::string without_kernel(std::string_view name) {
  std::string rest(name);
  for (const std::string_view kernel : {"Sdpa", "FlashAttention2", "Flash"}) {
    const std::size_t at = rest.find(kernel);
    if (at == 0 || at == std::string::npos) continue;
    rest.replace(at, kernel.size(), kernel == "FlashAttention2" ? "Attention" : "");
    break;
  }
  return rest;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('.') + 1); }

const AttributeRow* longest_row(std::string_view class_path, std::string_view attribute) {
  const AttributeRow* best = nullptr;
  for (const AttributeRow& row : kAttributeRows) {
    if (row.attribute == attribute && class_path.starts_with(row.classes) &&
        (best == nullptr || row.classes.size() > best->classes.size()))
      best = &row;
  }
  return best;
}

}  // namespace

AttributeRow attribute_row(std::string_view class_path, std::string_view attribute) {
  if (const AttributeRow* row = longest_row(class_path, attribute)) return *row;
  const bool library = is_library_class(class_path);
  if (library && attribute.starts_with('_')) return {"", attribute, kStill, kPrivate};
  if (const AttributeRow* row = longest_row(class_path, "*")) return *row;
  if (library && std::ranges::find(kMovers, attribute) != kMovers.end())
    return {"", attribute, kMoves, "the layer computes differently"};
  return {"", attribute, kUnsure, ""};
}

bool is_unlisted_private(const AttributeRow& row, std::string_view attribute) {
  return row.why == kPrivate && attribute.starts_with('_');
}

bool is_other_in_versions(std::string_view class_path, std::string_view attribute) {
  return class_path.starts_with("transformers.") &&
         std::ranges::any_of(kOtherInVersions, [&](const OtherInVersions& each) {
           return each.class_name == last_part(class_path) && each.attribute == attribute;
         });
}

bool is_left_by_torch(const AttributeRow& row) { return row.why == kLeftByTorch; }

AttributeRow hook_row(std::string_view hook_class, std::string_view field) {
  const bool of_steps = field == "n_power_iterations" || field == "eps";
  if (hook_class == "torch.nn.utils.spectral_norm.SpectralNorm" && of_steps)
    return {hook_class, field, kInTraining, kOfPowerSteps};
  return {"", field, kUnsure, ""};
}

bool names_a_run(const AttributeRow& row) { return row.why == kRunName; }

bool is_library_class(std::string_view class_path) {
  return begins_with_any(class_path, kLibraries);
}

bool changes_nothing_in_evaluation(std::string_view class_path) {
  return begins_with_any(class_path, kNothingInEvaluation);
}

bool is_same_function(std::string_view class_a, std::string_view class_b) {
  const std::string_view a = last_part(class_a);
  const std::string_view b = last_part(class_b);
  // A quantized layer has the name of the one that it stands for.
  const auto is_quantized = [](std::string_view path) { return path.starts_with("torch.ao."); };
  if (a == b)
    return is_library_class(class_a) == is_library_class(class_b) &&
           is_quantized(class_a) == is_quantized(class_b);
  if (class_a.starts_with("transformers.") && class_b.starts_with("transformers.") &&
      without_kernel(a) == without_kernel(b))
    return true;
  return std::ranges::any_of(kOneFunction, [&](const auto& names) {
    return (names.first == a && names.second == b) || (names.first == b && names.second == a);
  });
}

}  // namespace samebits
