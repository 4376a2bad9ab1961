#include "samebits/run/vit_weights.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "samebits/base/mapped_pages.h"
#include "samebits/base/parallel.h"

namespace samebits {
namespace {

/// The numbers of a tensor, row-major: where they lie, or, where they are of another type or in
/// another order, in `room`.
std::span<const float> floats_of(const TensorView& view, std::vector<float>& room) {
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  const bool native = view.dtype() == DType::float32 && std::endian::native == std::endian::little;
  const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0;
  if (native && aligned && view.is_plain())
    return {reinterpret_cast<const float*>(bytes.data()), view.numel()};
  room.resize(view.numel());
  if (native) {
    if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
    return room;
  }
  const std::uint64_t item = itemsize(view.dtype());
  for (std::size_t i = 0; i < room.size(); ++i)
    room[i] = static_cast<float>(element_as_double(view.dtype(), bytes.data() + item * i));
  return room;
}

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const model::Recognition& found, const VitConfig& config,
         int threads)
      : checkpoint_(checkpoint), config_(config), threads_(threads) {
    for (const model::Piece& piece : found.pieces) {
      if (piece.parts == 1) by_role_[piece.role] = checkpoint.weights().weights[piece.tensor];
    }
  }

  bool has(const std::string& role) const { return by_role_.contains(role); }

  Result<std::vector<float>> values(const std::string& role, std::size_t count) const {
    std::vector<float> room;
    SAMEBITS_TRY(const StoredTensor* tensor, tensor_of(role, count));
    const std::span<const float> found = floats_of(tensor->view, room);
    return room.empty() ? std::vector<float>(found.begin(), found.end()) : std::move(room);
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
    LinearWeights layer{.matrix = PackedMatrix(roles.size() * columns, depth)};
    for (std::size_t i = 0; i < roles.size(); ++i) {
      SAMEBITS_TRY(const StoredTensor* tensor, tensor_of(roles[i] + ".weight", columns * depth));
      std::vector<float> room;
      layer.matrix.pack(floats_of(tensor->view, room).data(), i * columns, columns);
      give_pages_back(*tensor);
      std::vector<float> bias(columns, 0.0F);
      if (has(roles[i] + ".bias")) {
        SAMEBITS_TRY(bias, values(roles[i] + ".bias", columns));
      }
      layer.bias.insert(layer.bias.end(), bias.begin(), bias.end());
    }
    return layer;
  }

  /// Roles of blocks are "3:query.weight", of a decoder's "3:decoder:query.weight".
  Result<std::vector<VitBlock>> blocks(const std::string& behind, const VitStack& stack) const {
    std::vector<Result<VitBlock>> read(stack.layers);
    parallel_for(stack.layers, threads_,
                 [&](std::size_t i) { read[i] = block(std::to_string(i) + ":" + behind, stack); });
    std::vector<VitBlock> blocks;
    for (Result<VitBlock>& each : read) {
      SAMEBITS_TRY(VitBlock block, std::move(each));
      blocks.push_back(std::move(block));
    }
    return blocks;
  }

  Result<VitBlock> block(const std::string& at, const VitStack& stack) const {
    const std::size_t width = stack.width;
    VitBlock block;
    SAMEBITS_TRY(block.norm1, norm(at + "norm1", width));
    SAMEBITS_TRY(block.norm2, norm(at + "norm2", width));
    if (has(at + "qkv.weight")) {
      SAMEBITS_TRY(block.qkv, linear({at + "qkv"}, 3 * width, width));
    } else {
      SAMEBITS_TRY(block.qkv, linear({at + "query", at + "key", at + "value"}, width, width));
    }
    SAMEBITS_TRY(block.attention_output, linear({at + "attention_output"}, width, width));
    SAMEBITS_TRY_VOID(mlp(at, stack, &block));
    if (has(at + "scale1") || has(at + "scale2")) {
      SAMEBITS_TRY(block.scale1, values(at + "scale1", width));
      SAMEBITS_TRY(block.scale2, values(at + "scale2", width));
    }
    return block;
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
  /// One that can be read, with so many numbers.
  Result<const StoredTensor*> tensor_of(const std::string& role, std::size_t count) const {
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
    return &tensor;
  }

  /// A packed matrix is not read in its file again, and twice its size in memory is too much.
  void give_pages_back(const StoredTensor& tensor) const {
    const auto& map = checkpoint_.files[tensor.file].map;
    if (map != nullptr && tensor.view.is_plain()) give_back(*map, tensor.view.plain_bytes());
  }

  const Checkpoint& checkpoint_;
  const VitConfig& config_;
  int threads_;
  std::map<std::string, std::uint32_t> by_role_;
};

}  // namespace

Result<VitWeights> load_vit_weights(const Checkpoint& checkpoint, const model::Recognition& found,
                                    const VitConfig& config, int threads) {
  const Loader loader(checkpoint, found, config, threads);
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
