#include "samebits/run/block.h"

#include <cmath>
#include <cstring>

#include "samebits/kernels/layer_norm.h"
#include "samebits/rng/distributions.h"

namespace samebits {
namespace {

/// One block of one pass.
class BlockRun {
 public:
  BlockRun(const Step& step, const VitBlock& block, const VitStack& stack, std::size_t tokens,
           std::size_t kept, const std::string& name, float* x)
      : step_(step),
        work_(step.work),
        block_(block),
        stack_(stack),
        tokens_(tokens),
        kept_(kept),
        rows_(step.images * tokens),
        stride_(row_stride(stack.width)),
        name_(name),
        x_(x) {}

  void run() {
    normalize(block_.norm1, step_.config.names.norm1);
    attend();
    keep();
    add_branch(block_.attention_output, work_.mixed.data(), stride_, block_.scale1,
               step_.config.names.attention);
    normalize(block_.norm2, step_.config.names.norm2);
    const std::size_t inner = row_stride(block_.mlp_in.matrix.columns());
    expand(inner);
    add_branch(block_.mlp_out, work_.inner.data(), inner, block_.scale2, step_.config.names.mlp);
    step_.note(name_, x_, tokens_, stack_.width, stack_.width);
  }

 private:
  void normalize(const NormWeights& norm, const std::string& point) {
    work_.normal.reserve(rows_ * stride_);
    layer_norm(step_.engine, x_, norm.gamma.data(), norm.beta.data(), step_.config.eps, rows_,
               stack_.width, work_.normal.data(), stride_);
    if (step_.trace) note(point, work_.normal.data(), stride_);
  }

  void attend() {
    const std::size_t width = stack_.width;
    const std::size_t fused = row_stride(3 * width);
    const std::size_t head = width / stack_.heads;
    work_.qkv.reserve(rows_ * fused);
    work_.mixed.reserve(rows_ * stride_);
    const float* qkv = work_.qkv.data();
    if (kept_ == tokens_ || width % kTileColumns != 0) {
      project(rows_, 0, 1, fused, {});
    } else {
      const std::size_t queries = width / kTileColumns;
      project(rows_, 0, 1, fused, {.first = queries});
      for (std::size_t token = 0; token < kept_; ++token)
        project(step_.images, token, tokens_, fused, {.last = queries});
    }
    const AttentionShape shape{.images = step_.images,
                               .tokens = tokens_,
                               .queries = kept_,
                               .heads = stack_.heads,
                               .width = head,
                               .stride = fused,
                               .out_stride = stride_,
                               .scale = 1 / std::sqrt(static_cast<float>(head)),
                               .dropout = attention_dropout()};
    attention(step_.engine, qkv, qkv + width, qkv + 2 * width, shape, work_.mixed.data(),
              work_.attention);
  }

  /// `tiles` of the queries, keys and values of `rows` tokens: `first` and every `step`th behind
  /// it.
  void project(std::size_t rows, std::size_t first, std::size_t step, std::size_t fused,
               TileRange tiles) {
    linear(step_.engine, work_.normal.data() + first * stride_, step * stride_, rows,
           block_.qkv.matrix, block_.qkv.bias.data(), Epilogue::bias,
           work_.qkv.data() + first * fused, step * fused, nullptr, tiles);
  }

  /// From here on there are no more than the first tokens of every image.
  void keep() {
    if (kept_ == tokens_) return;
    const std::size_t width = stack_.width;
    for (std::size_t image = 1; image < step_.images; ++image)
      std::memmove(x_ + image * kept_ * width, x_ + image * tokens_ * width,
                   kept_ * width * sizeof(float));
    tokens_ = kept_;
    rows_ = step_.images * kept_;
  }

  const float* attention_dropout() {
    const double probability = step_.config.attention_dropout;
    if (step_.training == nullptr || probability == 0) return nullptr;
    const std::size_t count = rows_ * stack_.heads * tokens_;
    work_.factors.reserve(count);
    dropout_mask(*step_.training, probability, {work_.factors.data(), count});
    return work_.factors.data();
  }

  void expand(std::size_t stride) {
    const std::size_t columns = block_.mlp_in.matrix.columns();
    work_.inner.reserve(rows_ * stride);
    float* inner = work_.inner.data();
    linear(step_.engine, work_.normal.data(), stride_, rows_, block_.mlp_in.matrix,
           block_.mlp_in.bias.data(),
           block_.gated ? Epilogue::bias : epilogue_of(step_.config.activation), inner, stride);
    if (!block_.gated) return;
    for (std::size_t r = 0; r < rows_; ++r)  // the first half times the second
      step_.engine.kernels.silu_gate(inner + r * stride, inner + r * stride + columns / 2,
                                     columns / 2);
  }

  /// x = x + layer(from), or x + layer(from) * scale: in one step, or, where the branch itself must
  /// be seen or changed, in several with the same bits.
  void add_branch(const LinearWeights& layer, const float* from, std::size_t stride,
                  const std::vector<float>& scale, const std::string& point) {
    const std::size_t width = stack_.width;
    if (!step_.trace && step_.training == nullptr) {
      linear(step_.engine, from, stride, rows_, layer.matrix, layer.bias.data(),
             scale.empty() ? Epilogue::residual : Epilogue::scaled, x_, width,
             scale.empty() ? nullptr : scale.data());
      return;
    }
    work_.branch.reserve(rows_ * width);
    float* branch = work_.branch.data();
    linear(step_.engine, from, stride, rows_, layer.matrix, layer.bias.data(), Epilogue::bias,
           branch, width);
    note(point, branch, width);
    step_.drop(step_.config.hidden_dropout, branch, rows_ * width);
    for (std::size_t i = 0; i < rows_ * width; ++i)
      x_[i] = x_[i] + (scale.empty() ? branch[i] : branch[i] * scale[i % width]);
  }

  void note(const std::string& point, const float* values, std::size_t stride) const {
    step_.note(name_ + "." + point, values, tokens_, stack_.width, stride);
  }

  const Step& step_;
  Workspace& work_;
  const VitBlock& block_;
  const VitStack& stack_;
  std::size_t tokens_, kept_, rows_, stride_;
  const std::string& name_;
  float* x_;
};

}  // namespace

Epilogue epilogue_of(Activation activation) {
  switch (activation) {
    case Activation::gelu: return Epilogue::gelu;
    case Activation::gelu_tanh: return Epilogue::gelu_tanh;
    case Activation::quick_gelu: return Epilogue::quick_gelu;
    case Activation::silu: return Epilogue::silu;
    case Activation::relu: return Epilogue::relu;
  }
  return Epilogue::gelu;
}

void Step::note(std::string_view name, const float* values, std::size_t tokens, std::size_t width,
                std::size_t stride) const {
  if (!trace) return;
  const std::vector<std::size_t> shape = {images, tokens, width};
  const std::size_t rows = images * tokens;
  if (stride == width) return trace(name, {values, rows * width}, shape);
  std::vector<float> dense(rows * width);
  for (std::size_t r = 0; r < rows; ++r)
    std::memcpy(dense.data() + r * width, values + r * stride, width * sizeof(float));
  trace(name, dense, shape);
}

void Step::drop(double probability, float* x, std::size_t count) const {
  if (training == nullptr || probability == 0) return;
  std::vector<float> factors(count);
  dropout_mask(*training, probability, factors);
  for (std::size_t i = 0; i < count; ++i) x[i] = x[i] * factors[i];
}

void run_block(const Step& step, const VitBlock& block, const VitStack& stack, std::size_t tokens,
               std::size_t kept, const std::string& name, float* x) {
  SAMEBITS_CHECK(kept == tokens || (!step.trace && step.training == nullptr));
  BlockRun(step, block, stack, tokens, kept, name, x).run();
}

}  // namespace samebits
