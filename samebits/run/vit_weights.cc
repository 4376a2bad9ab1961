#include "samebits/run/vit_weights.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace samebits {
namespace {

std::vector<float> as_floats(const TensorView& view) {
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  std::vector<float> values(view.numel());
  if (view.dtype() == DType::float32) {
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    } else {
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::bit_cast<float>(load_u32le(bytes.data() + 4 * i));
    }
    return values;
  }
  const std::uint64_t item = itemsize(view.dtype());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(element_as_double(view.dtype(), bytes.data() + item * i));
  return values;
}

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const model::Recognition& found, const VitConfig& config)
      : checkpoint_(checkpoint), config_(config) {
    for (const model::Piece& piece : found.pieces) {
      if (piece.parts == 1) by_role_[piece.role] = checkpoint.weights().weights[piece.tensor];
    }
  }

  bool has(const std::string& role) const { return by_role_.contains(role); }

  Result<std::vector<float>> values(const std::string& role, std::size_t count) const {
    const auto at = by_role_.find(role);
    if (at == by_role_.end()) {
      return fail({.code = ErrorCode::inconsistent,
                   .what = "the checkpoint has no tensor for " + role,
                   .file = checkpoint_.path});
    }
    const StoredTensor& tensor = checkpoint_.entries[at->second];
    if (!tensor.readable) {
      return fail({.code = ErrorCode::truncated,
                   .what = "the values of " + tensor.path + " could not be read",
                   .file = checkpoint_.path});
    }
    if (!is_floating(tensor.view.dtype()) || !has_element_values(tensor.view.dtype()) ||
        tensor.view.numel() != count) {
      return fail({.code = ErrorCode::unsupported,
                   .what = "the tensor " + tensor.path + " is not usable as a weight",
                   .file = checkpoint_.path,
                   .expected = fmt::format("{} floating-point numbers", count),
                   .found = fmt::format("{} {}", info(tensor.view.dtype()).torch,
                                        shape_text(tensor.view.shape()))});
    }
    return as_floats(tensor.view);
  }

  Result<NormWeights> norm(const std::string& role, std::size_t width) const {
    NormWeights norm;
    SAMEBITS_TRY(norm.gamma, values(role + ".weight", width));
    SAMEBITS_TRY(norm.beta, values(role + ".bias", width));
    return norm;
  }

  /// Several layers with the same input become one, their outputs side by side.
  Result<LinearWeights> linear(const std::vector<std::string>& roles, std::size_t columns,
                               std::size_t depth) const {
    LinearWeights layer;
    std::vector<float> all;
    for (const std::string& role : roles) {
      SAMEBITS_TRY(std::vector<float> w, values(role + ".weight", columns * depth));
      if (roles.size() == 1) {
        all = std::move(w);
      } else {
        all.insert(all.end(), w.begin(), w.end());
      }
      std::vector<float> bias(columns, 0.0F);
      if (has(role + ".bias")) {
        SAMEBITS_TRY(bias, values(role + ".bias", columns));
      }
      layer.bias.insert(layer.bias.end(), bias.begin(), bias.end());
    }
    layer.matrix = PackedMatrix(all.data(), roles.size() * columns, depth, depth);
    return layer;
  }

  /// Roles of blocks are "3:query.weight", of a decoder's "3:decoder:query.weight".
  Result<std::vector<VitBlock>> blocks(const std::string& behind, const VitStack& stack) const {
    std::vector<VitBlock> blocks(stack.layers);
    for (std::size_t i = 0; i < stack.layers; ++i) {
      const std::string at = std::to_string(i) + ":" + behind;
      const std::size_t width = stack.width;
      SAMEBITS_TRY(blocks[i].norm1, norm(at + "norm1", width));
      SAMEBITS_TRY(blocks[i].norm2, norm(at + "norm2", width));
      if (has(at + "qkv.weight")) {
        SAMEBITS_TRY(blocks[i].qkv, linear({at + "qkv"}, 3 * width, width));
      } else {
        SAMEBITS_TRY(blocks[i].qkv, linear({at + "query", at + "key", at + "value"}, width, width));
      }
      SAMEBITS_TRY(blocks[i].attention_output, linear({at + "attention_output"}, width, width));
      SAMEBITS_TRY_VOID(mlp(at, stack, &blocks[i]));
      if (has(at + "scale1") || has(at + "scale2")) {
        SAMEBITS_TRY(blocks[i].scale1, values(at + "scale1", width));
        SAMEBITS_TRY(blocks[i].scale2, values(at + "scale2", width));
      }
    }
    return blocks;
  }

  Result<void> mlp(const std::string& at, const VitStack& stack, VitBlock* block) const {
    block->gated = stack.gated;
    if (!stack.gated) {
      SAMEBITS_TRY(block->mlp_in, linear({at + "mlp_in"}, stack.mlp, stack.width));
      SAMEBITS_TRY(block->mlp_out, linear({at + "mlp_out"}, stack.width, stack.mlp));
      return {};
    }
    if (has(at + "gate_up.weight")) {
      SAMEBITS_TRY(block->mlp_in, linear({at + "gate_up"}, 2 * stack.mlp, stack.width));
    } else {
      SAMEBITS_TRY(block->mlp_in, linear({at + "gate", at + "up"}, stack.mlp, stack.width));
    }
    SAMEBITS_TRY(block->mlp_out, linear({at + "down"}, stack.width, stack.mlp));
    return {};
  }

  /// Classifiers see `width` numbers.
  Result<void> heads(std::size_t width, VitWeights* weights) const {
    const std::string first = has("cls_classifier.weight") ? "cls_classifier" : "classifier";
    if (const std::size_t rows = outputs(first); rows > 0) {
      SAMEBITS_TRY(weights->classifier, linear({first}, rows, width));
    }
    if (const std::size_t rows = outputs("distillation_classifier"); rows > 0) {
      SAMEBITS_TRY(weights->distillation_classifier,
                   linear({"distillation_classifier"}, rows, width));
    }
    return {};
  }

  /// Rows of the classifier or pooler: what the bias has.
  std::size_t outputs(const std::string& role) const {
    const auto at = by_role_.find(role + ".bias");
    return at == by_role_.end()
               ? 0
               : static_cast<std::size_t>(checkpoint_.entries[at->second].view.numel());
  }

  Result<void> decoder(VitWeights* weights) const {
    const VitStack& stack = config_.decoder;
    SAMEBITS_TRY(weights->mask_token, values("decoder:mask_token", stack.width));
    SAMEBITS_TRY(weights->decoder_positions,
                 values("decoder:positions", (1 + config_.patches()) * stack.width));
    SAMEBITS_TRY(weights->decoder_embed,
                 linear({"decoder:embed"}, stack.width, config_.encoder.width));
    SAMEBITS_TRY(weights->decoder_pred,
                 linear({"decoder:pred"}, config_.patch_values(), stack.width));
    SAMEBITS_TRY(weights->decoder_norm, norm("decoder:norm", stack.width));
    SAMEBITS_TRY(weights->decoder_blocks, blocks("decoder:", stack));
    return {};
  }

 private:
  const Checkpoint& checkpoint_;
  const VitConfig& config_;
  std::map<std::string, std::uint32_t> by_role_;
};

}  // namespace

Result<VitWeights> load_vit_weights(const Checkpoint& checkpoint, const model::Recognition& found,
                                    const VitConfig& config) {
  const Loader loader(checkpoint, found, config);
  const std::size_t width = config.encoder.width;
  VitWeights weights;
  SAMEBITS_TRY(weights.class_token, loader.values("cls_token", width));
  if (config.distilled) {
    SAMEBITS_TRY(weights.distillation_token, loader.values("distillation_token", width));
  }
  if (config.registers > 0) {
    SAMEBITS_TRY(weights.registers, loader.values("register_tokens", config.registers * width));
  }
  SAMEBITS_TRY(weights.positions,
               loader.values("positions", (config.positioned() + config.patches()) * width));
  SAMEBITS_TRY(weights.patches, loader.linear({"patches"}, width, config.patch_values()));
  SAMEBITS_TRY(weights.blocks, loader.blocks("", config.encoder));
  SAMEBITS_TRY(weights.norm, loader.norm("norm", width));
  if (const std::size_t rows = loader.outputs("pooler"); rows > 0) {
    SAMEBITS_TRY(weights.pooler, loader.linear({"pooler"}, rows, width));
  }
  SAMEBITS_TRY_VOID(loader.heads(config.mean_of_patches ? 2 * width : width, &weights));
  if (config.decoder.width > 0) SAMEBITS_TRY_VOID(loader.decoder(&weights));
  return weights;
}

}  // namespace samebits
