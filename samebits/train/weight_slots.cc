#include "samebits/train/weight_slots.h"

#include <algorithm>

#include "samebits/base/error.h"
#include "samebits/kernels/packing.h"

namespace samebits {
namespace {

class SlotList {
 public:
  void vector(const std::string& role, std::vector<float>& values) {
    if (!values.empty()) slots_.push_back({.role = role, .vector = &values});
  }
  void norm(const std::string& role, NormWeights& norm) {
    vector(role + ".weight", norm.gamma);
    vector(role + ".bias", norm.beta);
  }
  void linear(const std::string& role, LinearWeights& layer) {
    slots_.push_back({.role = role + ".weight", .matrix = &layer.matrix});
    vector(role + ".bias", layer.bias);
  }
  void linear(const std::string& role, std::optional<LinearWeights>& layer) {
    if (layer) linear(role, *layer);
  }
  void block(const std::string& at, VitBlock& block) {
    norm(at + "norm1", block.norm1);
    linear(at + "qkv", block.qkv);
    linear(at + "attention_output", block.attention_output);
    vector(at + "scale1", block.scale1);
    norm(at + "norm2", block.norm2);
    linear(at + (block.gated ? "gate_up" : "mlp_in"), block.mlp_in);
    linear(at + "mlp_out", block.mlp_out);
    vector(at + "scale2", block.scale2);
  }
  void blocks(const std::string& behind, std::vector<VitBlock>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i)
      block(std::to_string(i) + ":" + behind, blocks[i]);
  }
  std::vector<WeightSlot> take() { return std::move(slots_); }

 private:
  std::vector<WeightSlot> slots_;
};

}  // namespace

std::vector<WeightSlot> weight_slots(VitWeights& weights) {
  SlotList list;
  list.vector("cls_token", weights.class_token);
  list.vector("distillation_token", weights.distillation_token);
  list.vector("register_tokens", weights.registers);
  list.vector("positions", weights.positions);
  list.linear("patches", weights.patches);
  list.blocks("", weights.blocks);
  list.norm("norm", weights.norm);
  list.linear("pooler", weights.pooler);
  list.linear("classifier", weights.classifier);
  list.linear("distillation_classifier", weights.distillation_classifier);
  list.linear("decoder:embed", weights.decoder_embed);
  list.vector("decoder:mask_token", weights.mask_token);
  list.vector("decoder:positions", weights.decoder_positions);
  list.blocks("decoder:", weights.decoder_blocks);
  list.norm("decoder:norm", weights.decoder_norm);
  list.linear("decoder:pred", weights.decoder_pred);
  return list.take();
}

VitWeights zeros_like(const VitWeights& weights) {
  VitWeights zeros = weights;
  for (const WeightSlot& slot : weight_slots(zeros)) std::fill_n(slot.data(), slot.size(), 0.0F);
  return zeros;
}

void WeightSlot::read_rows(std::size_t first, std::size_t count, float* out) const {
  SAMEBITS_CHECK(first <= rows() && count <= rows() - first);
  if (matrix == nullptr) {
    std::copy_n(vector->data() + first, count, out);
    return;
  }
  const std::size_t depth = matrix->depth();
  for (std::size_t row = first; row < first + count;) {
    const std::size_t column = row % kTileColumns;
    const std::size_t some = std::min(kTileColumns - column, first + count - row);
    transpose(matrix->tile(row / kTileColumns) + column, depth, some, kTileColumns,
              out + (row - first) * depth, depth);
    row += some;
  }
}

void WeightSlot::write_rows(std::size_t first, std::size_t count, const float* from) const {
  SAMEBITS_CHECK(first <= rows() && count <= rows() - first);
  if (matrix == nullptr) {
    std::copy_n(from, count, vector->data() + first);
    return;
  }
  matrix->pack(from, first, count);
}

}  // namespace samebits
