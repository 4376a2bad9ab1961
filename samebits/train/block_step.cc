#include "samebits/train/block_step.h"

#include <algorithm>
#include <cmath>

#include "samebits/kernels/layer_norm.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/block.h"

namespace samebits {

void StepScope::dropout(double probability, std::span<float> factors) const {
  const std::size_t of_image = factors.size() / images;
  skip_dropout_mask(*generator, part.before * of_image);
  dropout_mask(*generator, probability, factors);
  skip_dropout_mask(*generator, part.behind * of_image);
}

BlockStep::BlockStep(const StepScope& scope, const VitBlock& block, const VitStack& stack,
                     std::size_t tokens, BlockKept& kept)
    : scope_(scope),
      block_(block),
      stack_(stack),
      kept_(kept),
      tokens_(tokens),
      rows_(scope.images * tokens),
      stride_(row_stride(stack.width)),
      fused_(row_stride(3 * stack.width)),
      inner_(row_stride(stack.mlp)) {
  StepMemory& memory = scope.memory;
  for (AlignedFloats* each :
       {&memory.normal, &memory.branch, &memory.dnormal, &memory.dmixed, &kept.mixed, &kept.middle})
    each->reserve(rows_ * stride_);
  for (AlignedFloats* each : {&memory.activated, &memory.dinner, &kept.inner})
    each->reserve(rows_ * inner_);
  for (AlignedFloats* each : {&memory.dqkv, &kept.qkv}) each->reserve(rows_ * fused_);
}

AttentionShape BlockStep::attention_shape() {
  const std::size_t head = stack_.width / stack_.heads;
  return {.images = scope_.images,
          .tokens = tokens_,
          .queries = tokens_,
          .heads = stack_.heads,
          .width = head,
          .stride = fused_,
          .out_stride = stride_,
          .scale = 1 / std::sqrt(static_cast<float>(head)),
          .dropout = kept_.attention_factors.empty() ? nullptr : kept_.attention_factors.data()};
}

void BlockStep::forward(float* out) {
  const Engine& engine = scope_.engine;
  StepMemory& memory = scope_.memory;
  const std::size_t width = stack_.width;
  float* normal = memory.normal.data();
  float* qkv = kept_.qkv.data();

  // normal = layer_norm(input); qkv = normal W' + b
  layer_norm(engine, kept_.input.data(), block_.norm1.gamma.data(), block_.norm1.beta.data(),
             scope_.config.eps, rows_, width, normal, stride_);
  linear(engine, normal, stride_, rows_, block_.qkv.matrix, block_.qkv.bias.data(), Epilogue::bias,
         qkv, fused_);
  // mixed = attention(q, k, v), its softmax dropped out
  if (scope_.config.attention_dropout > 0) {
    kept_.attention_factors.resize(rows_ * stack_.heads * tokens_);
    scope_.dropout(scope_.config.attention_dropout, kept_.attention_factors);
  }
  attention(engine, qkv, qkv + width, qkv + 2 * width, attention_shape(), kept_.mixed.data(),
            memory.attention);
  // middle = input + mixed W' + b
  std::copy_n(kept_.input.data(), rows_ * width, kept_.middle.data());
  add_branch(block_.attention_output, {kept_.mixed.data(), stride_}, block_.scale1, kept_.branch1,
             kept_.factors1, kept_.middle.data());
  // inner = layer_norm(middle) W' + b
  layer_norm(engine, kept_.middle.data(), block_.norm2.gamma.data(), block_.norm2.beta.data(),
             scope_.config.eps, rows_, width, normal, stride_);
  linear(engine, normal, stride_, rows_, block_.mlp_in.matrix, block_.mlp_in.bias.data(),
         Epilogue::bias, kept_.inner.data(), inner_);
  // out = middle + f(inner) W' + b
  activate(engine, epilogue_of(scope_.config.activation), {kept_.inner.data(), inner_}, rows_,
           stack_.mlp, memory.activated.data(), inner_);
  std::copy_n(kept_.middle.data(), rows_ * width, out);
  add_branch(block_.mlp_out, {memory.activated.data(), inner_}, block_.scale2, kept_.branch2,
             kept_.factors2, out);
}

/// x = x + layer(from), the layer's output dropped out and scaled.
void BlockStep::add_branch(const LinearWeights& layer, RowsOf from, const std::vector<float>& scale,
                           std::vector<float>& branch, std::vector<float>& factors, float* x) {
  const std::size_t width = stack_.width;
  const double probability = scope_.config.hidden_dropout;
  if (scale.empty() && probability == 0)
    return linear(scope_.engine, from.values, from.stride, rows_, layer.matrix, layer.bias.data(),
                  Epilogue::residual, x, width);
  branch.resize(rows_ * width);
  linear(scope_.engine, from.values, from.stride, rows_, layer.matrix, layer.bias.data(),
         Epilogue::bias, branch.data(), width);
  if (probability > 0) {
    factors.resize(branch.size());
    scope_.dropout(probability, factors);
    for (std::size_t i = 0; i < branch.size(); ++i) branch[i] = branch[i] * factors[i];
  }
  for (std::size_t i = 0; i < branch.size(); ++i)
    x[i] = x[i] + (scale.empty() ? branch[i] : branch[i] * scale[i % width]);
}

void BlockStep::back(float* dy, VitBlock& gradient) {
  perceptron_back(dy, gradient);
  attention_back(dy, gradient);
}

/// The gradient of a branch's layer, from that of the sum that it is part of.
RowsOf BlockStep::branch_back(const float* dy, const std::vector<float>& scale,
                              const std::vector<float>& branch, const std::vector<float>& factors,
                              std::vector<float>& dscale) {
  const std::size_t width = stack_.width;
  if (scale.empty() && factors.empty()) return {dy, width};
  float* d = scope_.memory.branch.data();
  for (std::size_t i = 0; i < rows_ * width; ++i) {
    d[i] = scale.empty() ? dy[i] : dy[i] * scale[i % width];
    if (!factors.empty()) d[i] = d[i] * factors[i];
  }
  if (!scale.empty())
    column_gradient(scope_.engine, {dy, width}, {branch.data(), width}, scope_.rows(tokens_), width,
                    dscale.data());
  return {d, width};
}

/// Of y = x W' + b: the gradients of W and b.
void BlockStep::linear_back(RowsOf dy, RowsOf x, LinearWeights& gradient) {
  const LeafRows leaves = scope_.rows(tokens_);
  weight_gradient(scope_.engine, dy, x, leaves, gradient.matrix, scope_.memory.gradient);
  column_gradient(scope_.engine, dy, {}, leaves, gradient.bias.size(), gradient.bias.data());
}

// y = middle + f(layer_norm(middle) W1' + b1) W2' + b2
void BlockStep::perceptron_back(float* dy, VitBlock& gradient) {
  const Engine& engine = scope_.engine;
  StepMemory& memory = scope_.memory;
  const Epilogue activation = epilogue_of(scope_.config.activation);
  const RowsOf inner = {kept_.inner.data(), inner_};
  const RowsOf activated = {memory.activated.data(), inner_};
  const RowsOf dinner = {memory.dinner.data(), inner_};
  const RowsOf d = branch_back(dy, block_.scale2, kept_.branch2, kept_.factors2, gradient.scale2);
  // The layer behind the activation.
  activate(engine, activation, inner, rows_, stack_.mlp, memory.activated.data(), inner_);
  linear_back(d, activated, gradient.mlp_out);
  input_gradient(engine, d, rows_, block_.mlp_out.matrix, memory.dinner.data(), inner_,
                 memory.gradient);
  activation_back(engine, activation, inner, rows_, stack_.mlp, memory.dinner.data(), inner_);
  // The layer before it, and the norm.
  layer_norm(engine, kept_.middle.data(), block_.norm2.gamma.data(), block_.norm2.beta.data(),
             scope_.config.eps, rows_, stack_.width, memory.normal.data(), stride_);
  linear_back(dinner, {memory.normal.data(), stride_}, gradient.mlp_in);
  input_gradient(engine, dinner, rows_, block_.mlp_in.matrix, memory.dnormal.data(), stride_,
                 memory.gradient);
  layer_norm_back(engine,
                  {.x = kept_.middle.data(),
                   .gamma = block_.norm2.gamma.data(),
                   .dy = {memory.dnormal.data(), stride_},
                   .eps = scope_.config.eps,
                   .width = stack_.width,
                   .dx = dy,
                   .dgamma = gradient.norm2.gamma.data(),
                   .dbeta = gradient.norm2.beta.data()},
                  scope_.rows(tokens_), memory.gradient);
}

// middle = input + attention(layer_norm(input) W1' + b1) W2' + b2
void BlockStep::attention_back(float* dy, VitBlock& gradient) {
  const Engine& engine = scope_.engine;
  StepMemory& memory = scope_.memory;
  const std::size_t width = stack_.width;
  const RowsOf d = branch_back(dy, block_.scale1, kept_.branch1, kept_.factors1, gradient.scale1);
  linear_back(d, {kept_.mixed.data(), stride_}, gradient.attention_output);
  input_gradient(engine, d, rows_, block_.attention_output.matrix, memory.dmixed.data(), stride_,
                 memory.gradient);
  const float* qkv = kept_.qkv.data();
  float* dqkv = memory.dqkv.data();
  attention_gradient(engine,
                     {.q = qkv,
                      .k = qkv + width,
                      .v = qkv + 2 * width,
                      .dout = memory.dmixed.data(),
                      .dq = dqkv,
                      .dk = dqkv + width,
                      .dv = dqkv + 2 * width},
                     attention_shape(), memory.attention_gradient);
  // The projections, and the norm.
  layer_norm(engine, kept_.input.data(), block_.norm1.gamma.data(), block_.norm1.beta.data(),
             scope_.config.eps, rows_, width, memory.normal.data(), stride_);
  linear_back({dqkv, fused_}, {memory.normal.data(), stride_}, gradient.qkv);
  input_gradient(engine, {dqkv, fused_}, rows_, block_.qkv.matrix, memory.dnormal.data(), stride_,
                 memory.gradient);
  layer_norm_back(engine,
                  {.x = kept_.input.data(),
                   .gamma = block_.norm1.gamma.data(),
                   .dy = {memory.dnormal.data(), stride_},
                   .eps = scope_.config.eps,
                   .width = width,
                   .dx = dy,
                   .dgamma = gradient.norm1.gamma.data(),
                   .dbeta = gradient.norm1.beta.data()},
                  scope_.rows(tokens_), memory.gradient);
}

std::size_t dropout_elements(const VitConfig& config, std::size_t tokens,
                             std::size_t decoder_tokens) {
  const auto of_blocks = [&](const VitStack& stack, std::size_t rows) {
    const std::size_t attention = config.attention_dropout > 0 ? stack.heads * rows * rows : 0;
    const std::size_t branches = config.hidden_dropout > 0 ? 2 * rows * stack.width : 0;
    return stack.layers * (attention + branches);
  };
  const bool embeddings = config.embedding_dropout && config.hidden_dropout > 0;
  return (embeddings ? tokens * config.encoder.width : 0) + of_blocks(config.encoder, tokens) +
         of_blocks(config.decoder, decoder_tokens);
}

}  // namespace samebits
