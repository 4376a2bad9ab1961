#include "samebits/run/vit_forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "samebits/kernels/layer_norm.h"
#include "samebits/kernels/reference.h"
#include "samebits/run/masking.h"

namespace samebits {
namespace {

using Floats = std::vector<float>;

void add_to(const float* from, std::size_t count, float* into) {
  for (std::size_t i = 0; i < count; ++i) into[i] = into[i] + from[i];
}

}  // namespace

/// One pass: buffers and steps.
struct VitModel::Pass {
  Pass(VitModel& owner, const Engine& on, const VitInput& given, const TracePoint& point)
      : model(owner), engine(on), input(given), trace(point), config(owner.config_) {}

  void note(std::string_view name, const Floats& values,
            const std::vector<std::size_t>& shape) const {
    if (trace) trace(name, values, shape);
  }

  Floats apply(const LinearWeights& layer, const float* x, std::size_t stride, std::size_t rows) {
    Floats out(rows * layer.matrix.columns());
    linear(engine, x, stride, rows, layer.matrix, layer.bias.data(), Epilogue::bias, out.data(),
           layer.matrix.columns());
    return out;
  }

  /// [batch * patches, channels * patch height * patch width]: each patch in the order of its
  /// convolution's kernel.
  Floats patch_rows() const {
    const std::size_t across = config.image_width / config.patch_width;
    const std::size_t row_size = config.patch_values();
    Floats rows(input.batch * config.patches() * row_size);
    float* out = rows.data();
    for (std::size_t image = 0; image < input.batch; ++image) {
      for (std::size_t patch = 0; patch < config.patches(); ++patch) {
        for (std::size_t c = 0; c < config.channels; ++c) {
          for (std::size_t y = 0; y < config.patch_height; ++y) {
            const std::size_t line = (image * config.channels + c) * config.image_height +
                                     patch / across * config.patch_height + y;
            const float* from = input.images.data() + line * config.image_width +
                                patch % across * config.patch_width;
            std::memcpy(out, from, config.patch_width * sizeof(float));
            out += config.patch_width;
          }
        }
      }
    }
    return rows;
  }

  /// Patches with their positions, [batch * patches, width].
  Floats embed_patches() {
    const std::size_t width = config.encoder.width;
    const Floats rows = patch_rows();
    Floats patches = apply(model.weights_.patches, rows.data(), config.patch_values(),
                           input.batch * config.patches());
    const float* positions = model.weights_.positions.data() + config.positioned() * width;
    for (std::size_t image = 0; image < input.batch; ++image)
      add_to(positions, config.patches() * width,
             patches.data() + image * config.patches() * width);
    return patches;
  }

  /// The class token, the distillation token, registers, and behind them the patches that `kept`
  /// names.
  Floats embeddings(const std::vector<Masking>& maskings) {
    const std::size_t width = config.encoder.width;
    const Floats patches = embed_patches();
    const VitWeights& weights = model.weights_;
    Floats class_token = weights.class_token;
    class_token.insert(class_token.end(), weights.distillation_token.begin(),
                       weights.distillation_token.end());
    add_to(weights.positions.data(), class_token.size(), class_token.data());
    class_token.insert(class_token.end(), weights.registers.begin(), weights.registers.end());
    Floats tokens;
    for (std::size_t image = 0; image < input.batch; ++image) {
      const float* from = patches.data() + image * config.patches() * width;
      tokens.insert(tokens.end(), class_token.begin(), class_token.end());
      if (maskings.empty()) {
        tokens.insert(tokens.end(), from, from + config.patches() * width);
        continue;
      }
      for (const std::size_t patch : maskings[image].kept)
        tokens.insert(tokens.end(), from + patch * width, from + (patch + 1) * width);
    }
    return tokens;
  }

  void run_block(const VitBlock& block, const VitStack& stack, std::size_t tokens, Floats& x) {
    const std::size_t rows = input.batch * tokens;
    const std::size_t width = stack.width;
    normal.resize(x.size());
    layer_norm(engine, x.data(), block.norm1.gamma.data(), block.norm1.beta.data(), config.eps,
               rows, width, normal.data());
    qkv.resize(rows * 3 * width);
    linear(engine, normal.data(), width, rows, block.qkv.matrix, block.qkv.bias.data(),
           Epilogue::bias, qkv.data(), 3 * width);
    mixed.resize(x.size());
    const std::size_t head = width / stack.heads;
    const AttentionShape shape{input.batch,
                               tokens,
                               stack.heads,
                               head,
                               3 * width,
                               width,
                               1 / std::sqrt(static_cast<float>(head))};
    attention(engine, qkv.data(), qkv.data() + width, qkv.data() + 2 * width, shape, mixed.data(),
              model.attention_);
    add_branch(block.attention_output, mixed.data(), width, rows, block.scale1, x);
    layer_norm(engine, x.data(), block.norm2.gamma.data(), block.norm2.beta.data(), config.eps,
               rows, width, normal.data());
    const std::size_t inputs = block.mlp_in.matrix.columns();
    inner.resize(rows * inputs);
    linear(engine, normal.data(), width, rows, block.mlp_in.matrix, block.mlp_in.bias.data(),
           block.gated ? Epilogue::bias : Epilogue::gelu, inner.data(), inputs);
    if (block.gated) gate(rows, stack.mlp);
    add_branch(block.mlp_out, inner.data(), inputs, rows, block.scale2, x);
  }

  /// The first half of each row becomes silu(itself) times the second half.
  void gate(std::size_t rows, std::size_t width) {
    for (std::size_t r = 0; r < rows; ++r) {
      float* row = inner.data() + r * 2 * width;
      engine.kernels.silu_gate(row, row + width, width);
    }
  }

  /// x = x + layer(from), or x + layer(from) * scale.
  void add_branch(const LinearWeights& layer, const float* from, std::size_t stride,
                  std::size_t rows, const Floats& scale, Floats& x) {
    const std::size_t width = layer.matrix.columns();
    linear(engine, from, stride, rows, layer.matrix, layer.bias.data(),
           scale.empty() ? Epilogue::residual : Epilogue::scaled, x.data(), width,
           scale.empty() ? nullptr : scale.data());
  }

  void run_blocks(const std::vector<VitBlock>& blocks, const VitStack& stack, std::size_t tokens,
                  const std::string& name, Floats& x) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      run_block(blocks[i], stack, tokens, x);
      note(name + std::to_string(i), x, {input.batch, tokens, stack.width});
    }
  }

  void normalize(const NormWeights& norm, std::size_t width, Floats& x) {
    layer_norm(engine, x.data(), norm.gamma.data(), norm.beta.data(), config.eps, x.size() / width,
               width, x.data());
  }

  /// The encoder's output, [batch, tokens, width].
  Floats encode(const std::vector<Masking>& maskings, std::size_t* tokens) {
    Floats x = embeddings(maskings);
    *tokens = x.size() / input.batch / config.encoder.width;
    const std::vector<std::size_t> shape = {input.batch, *tokens, config.encoder.width};
    note("vit.embeddings", x, shape);
    run_blocks(model.weights_.blocks, config.encoder, *tokens, "vit.layers.", x);
    normalize(model.weights_.norm, config.encoder.width, x);
    note("vit.layernorm", x, shape);
    return x;
  }

  /// [batch, 2 * width]: the class token and the mean of the patches, each number of which is the
  /// sum() over the tokens divided by their number.
  Floats class_and_mean(const Floats& hidden, std::size_t tokens) const {
    const std::size_t width = config.encoder.width;
    const std::size_t first = tokens - config.patches();
    Floats seen;
    Floats column(config.patches());
    for (std::size_t image = 0; image < input.batch; ++image) {
      const float* from = hidden.data() + image * tokens * width;
      seen.insert(seen.end(), from, from + width);
      for (std::size_t d = 0; d < width; ++d) {
        for (std::size_t i = 0; i < column.size(); ++i) column[i] = from[(first + i) * width + d];
        seen.push_back(reference::sum(column.data(), column.size()) /
                       static_cast<float>(column.size()));
      }
    }
    return seen;
  }

  void classify(const Floats& hidden, std::size_t tokens, VitOutputs* outputs) {
    const std::size_t width = config.encoder.width;
    const VitWeights& weights = model.weights_;
    const std::vector<std::size_t> shape = {input.batch, weights.classifier->matrix.columns()};
    Floats logits;
    if (config.mean_of_patches) {
      const Floats seen = class_and_mean(hidden, tokens);
      logits = apply(*weights.classifier, seen.data(), 2 * width, input.batch);
    } else {
      logits = apply(*weights.classifier, hidden.data(), tokens * width, input.batch);
    }
    if (weights.distillation_classifier) {
      Floats other = apply(*weights.distillation_classifier, hidden.data() + width, tokens * width,
                           input.batch);
      Floats mean(logits.size());
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (logits[i] + other[i]) / 2;
      outputs->arrays.push_back({"logits", shape, std::move(mean)});
      outputs->arrays.push_back({"cls_logits", shape, std::move(logits)});
      outputs->arrays.push_back({"distillation_logits", shape, std::move(other)});
      return;
    }
    note("classifier", logits, shape);
    outputs->arrays.push_back({"logits", shape, std::move(logits)});
  }

  /// logits [batch, patches, patch values]: the pixels of every patch.
  Floats decode(const Floats& latent, std::size_t tokens, const std::vector<Masking>& maskings) {
    const std::size_t width = config.decoder.width;
    const std::size_t all = 1 + config.patches();
    const Floats embedded = apply(*model.weights_.decoder_embed, latent.data(),
                                  config.encoder.width, input.batch * tokens);
    Floats x(input.batch * all * width);
    for (std::size_t image = 0; image < input.batch; ++image) {
      const float* from = embedded.data() + image * tokens * width;
      float* to = x.data() + image * all * width;
      std::memcpy(to, from, width * sizeof(float));
      for (std::size_t patch = 0; patch < config.patches(); ++patch) {
        const std::size_t at = maskings[image].restore[patch];
        const float* token =
            at + 1 < tokens ? from + (at + 1) * width : model.weights_.mask_token.data();
        std::memcpy(to + (patch + 1) * width, token, width * sizeof(float));
      }
      add_to(model.weights_.decoder_positions.data(), all * width, to);
    }
    run_blocks(model.weights_.decoder_blocks, config.decoder, all, "decoder.decoder_layers.", x);
    normalize(model.weights_.decoder_norm, width, x);
    const Floats predicted =
        apply(*model.weights_.decoder_pred, x.data(), width, input.batch * all);
    Floats logits;
    const std::size_t values = config.patch_values();
    for (std::size_t image = 0; image < input.batch; ++image) {
      const float* from = predicted.data() + (image * all + 1) * values;
      logits.insert(logits.end(), from, from + config.patches() * values);
    }
    return logits;
  }

  /// [batch * patches, patch values] with the channel last, as the decoder predicts them.
  Floats pixels() const {
    const std::size_t area = config.patch_height * config.patch_width;
    const Floats rows = patch_rows();
    Floats target(rows.size());
    for (std::size_t row = 0; row < rows.size(); row += config.patch_values()) {
      for (std::size_t c = 0; c < config.channels; ++c) {
        for (std::size_t i = 0; i < area; ++i)
          target[row + i * config.channels + c] = rows[row + c * area + i];
      }
    }
    return target;
  }

  /// Mean over the removed patches of the mean squared error; both means by sum().
  float loss(const Floats& logits, const Floats& mask) const {
    const std::size_t values = config.patch_values();
    Floats target = pixels();
    Floats errors;
    for (std::size_t row = 0; row < target.size(); row += values) {
      float* t = target.data() + row;
      if (config.norm_pix_loss) normalize_patch(t, values);
      Floats squares(values);
      for (std::size_t i = 0; i < values; ++i) {
        const float d = logits[row + i] - t[i];
        squares[i] = d * d;
      }
      errors.push_back(reference::sum(squares.data(), values) / static_cast<float>(values));
    }
    for (std::size_t i = 0; i < errors.size(); ++i) errors[i] = errors[i] * mask[i];
    return reference::sum(errors.data(), errors.size()) / reference::sum(mask.data(), mask.size());
  }

  // (t - mean) / sqrt(unbiased variance + 1e-6)
  static void normalize_patch(float* t, std::size_t count) {
    const float mean = reference::sum(t, count) / static_cast<float>(count);
    Floats squares(count);
    for (std::size_t i = 0; i < count; ++i) squares[i] = (t[i] - mean) * (t[i] - mean);
    const float variance = reference::sum(squares.data(), count) / static_cast<float>(count - 1);
    const float deviation = std::sqrt(variance + 1e-6F);
    for (std::size_t i = 0; i < count; ++i) t[i] = (t[i] - mean) / deviation;
  }

  VitModel& model;
  const Engine& engine;
  const VitInput& input;
  const TracePoint& trace;
  const VitConfig& config;
  Floats normal, qkv, mixed, inner;
};

const NamedArray& VitOutputs::at(std::string_view name) const {
  const auto found = std::find_if(arrays.begin(), arrays.end(),
                                  [&](const NamedArray& array) { return array.name == name; });
  SAMEBITS_CHECK(found != arrays.end());
  return *found;
}

VitOutputs VitModel::forward(const Engine& engine, const VitInput& input, const TracePoint& trace) {
  const std::size_t patches = config_.patches();
  SAMEBITS_CHECK(input.batch > 0 && input.images.size() == input.batch * config_.channels *
                                                               config_.image_height *
                                                               config_.image_width);
  VitOutputs outputs;
  std::vector<Masking> maskings;
  Floats mask;
  Floats restore;
  if (config_.masked) {
    SAMEBITS_CHECK(input.noise.size() == input.batch * patches);
    for (std::size_t image = 0; image < input.batch; ++image) {
      maskings.push_back(
          random_masking(input.noise.subspan(image * patches, patches), input.mask_ratio));
      const Masking& masking = maskings.back();
      if (masking.tied) outputs.tied_images.push_back(image);
      mask.insert(mask.end(), masking.mask.begin(), masking.mask.end());
      for (const std::size_t at : masking.restore) restore.push_back(static_cast<float>(at));
    }
  }
  Pass pass(*this, engine, input, trace);
  std::size_t tokens = 0;
  Floats hidden = pass.encode(maskings, &tokens);
  const std::size_t width = config_.encoder.width;
  if (weights_.classifier) pass.classify(hidden, tokens, &outputs);
  if (weights_.pooler) {
    Floats pooled = pass.apply(*weights_.pooler, hidden.data(), tokens * width, input.batch);
    for (float& value : pooled) value = reference::tanh(value);
    outputs.arrays.push_back(
        {"pooler_output", {input.batch, weights_.pooler->matrix.columns()}, std::move(pooled)});
  }
  if (weights_.decoder_pred) {
    Floats logits = pass.decode(hidden, tokens, maskings);
    const float loss = pass.loss(logits, mask);
    outputs.arrays.push_back(
        {"logits", {input.batch, patches, config_.patch_values()}, std::move(logits)});
    outputs.arrays.push_back({"loss", {}, {loss}});
  }
  outputs.arrays.push_back({"last_hidden_state", {input.batch, tokens, width}, std::move(hidden)});
  if (!maskings.empty()) {
    outputs.arrays.push_back({"mask", {input.batch, patches}, std::move(mask)});
    outputs.arrays.push_back({"ids_restore", {input.batch, patches}, std::move(restore), true});
  }
  return outputs;
}

}  // namespace samebits
