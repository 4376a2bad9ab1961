#include "samebits/run/double_pass.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace samebits {
namespace {

using Doubles = std::vector<double>;

// sums[c] += x * w[c], the loop in which all the time goes.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
void add_products(double x, const float* w, double* sums) {
  for (std::size_t c = 0; c < kTileColumns; ++c) sums[c] += x * static_cast<double>(w[c]);
}

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::gelu: return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::quick_gelu: return x / (1 + std::exp(-1.702 * x));
    case Activation::silu: return x / (1 + std::exp(-x));
    case Activation::relu: return x > 0 ? x : 0;
  }
  return x;
}

/// One pass.
class DoublePass {
 public:
  DoublePass(VitModel& model, ThreadPool& pool, const VitInput& input, const DoublePoint& point)
      : config_(model.config()),
        weights_(model.weights()),
        pool_(pool),
        images_(input.images),
        point_(point),
        grid_(patch_grid(config_, images_.height, images_.width)) {
    for (std::size_t image = 0; config_.masked && image < images_.count; ++image)
      maskings_.push_back(random_masking(input.noise.subspan(image * grid_.cells(), grid_.cells()),
                                         input.mask_ratio));
    front_ = config_.positioned() + config_.registers;
    tokens_ = front_ + (maskings_.empty() ? grid_.cells() : maskings_[0].kept.size());
  }

  void run() {
    const std::size_t width = config_.encoder.width;
    Doubles x = embeddings();
    note(config_.names.model + ".embeddings", x);
    blocks(weights_.blocks, config_.encoder, tokens_, config_.names.layers, x);
    x = normalized(weights_.norm, x, width);
    note(config_.names.model + ".layernorm", x);
    if (weights_.classifier) classify(x);
    if (weights_.pooler) {
      Doubles pooled = linear(*weights_.pooler, every(x, tokens_, width, 0), width);
      for (double& value : pooled) value = std::tanh(value);
      note("pooler", pooled);
    }
    if (weights_.decoder_pred) decode(x);
  }

 private:
  void note(const std::string& name, const Doubles& values) const { point_(name, values); }

  Doubles linear(const LinearWeights& layer, const Doubles& x, std::size_t depth) const {
    const PackedMatrix& w = layer.matrix;
    const std::size_t rows = x.size() / depth;
    Doubles out(rows * w.columns());
    pool_.run(rows, [&](std::size_t r) {
      for (std::size_t tile = 0; tile < w.tiles(); ++tile) {
        double sums[kTileColumns] = {};
        for (std::size_t k = 0; k < depth; ++k)
          add_products(x[r * depth + k], w.tile(tile) + k * kTileColumns, sums);
        const std::size_t first = tile * kTileColumns;
        for (std::size_t c = first; c < std::min(w.columns(), first + kTileColumns); ++c)
          out[r * w.columns() + c] = sums[c - first] + double{layer.bias[c]};
      }
    });
    return out;
  }

  Doubles normalized(const NormWeights& norm, const Doubles& x, std::size_t width) const {
    Doubles out(x.size());
    for (std::size_t row = 0; row < x.size(); row += width) {
      const double mean =
          std::accumulate(x.begin() + static_cast<std::ptrdiff_t>(row),
                          x.begin() + static_cast<std::ptrdiff_t>(row + width), 0.0) /
          static_cast<double>(width);
      double squares = 0;
      for (std::size_t d = 0; d < width; ++d) squares += (x[row + d] - mean) * (x[row + d] - mean);
      const double factor =
          1 / std::sqrt(squares / static_cast<double>(width) + double{config_.eps});
      for (std::size_t d = 0; d < width; ++d)
        out[row + d] = (x[row + d] - mean) * factor * double{norm.gamma[d]} + double{norm.beta[d]};
    }
    return out;
  }

  /// Row `which` of every image.
  Doubles every(const Doubles& x, std::size_t tokens, std::size_t width, std::size_t which) const {
    Doubles rows;
    for (std::size_t image = 0; image < images_.count; ++image) {
      const auto from = x.begin() + static_cast<std::ptrdiff_t>((image * tokens + which) * width);
      rows.insert(rows.end(), from, from + static_cast<std::ptrdiff_t>(width));
    }
    return rows;
  }

  std::vector<float> positions(const std::vector<float>& all, std::size_t before, Grid from,
                               Grid to, std::size_t width) const {
    const std::span<const float> patches = std::span(all).subspan(before * width);
    if (from == to) return {patches.begin(), patches.end()};
    return resample_positions(patches, from, to, width, config_.resampling);
  }

  Doubles embeddings() const {
    const std::size_t width = config_.encoder.width;
    const std::vector<float> places =
        positions(weights_.positions, config_.positioned(),
                  patch_grid(config_, config_.image_height, config_.image_width), grid_, width);
    std::vector<std::size_t> all(grid_.cells());
    std::iota(all.begin(), all.end(), std::size_t{0});
    Doubles x;
    for (std::size_t image = 0; image < images_.count; ++image) {
      add_front(&x);
      const std::vector<std::size_t>& kept = maskings_.empty() ? all : maskings_[image].kept;
      std::vector<float> rows(kept.size() * config_.patch_values());
      patch_rows(config_, images_, image, kept, rows.data());
      const Doubles patches =
          linear(weights_.patches, {rows.begin(), rows.end()}, config_.patch_values());
      for (std::size_t i = 0; i < kept.size(); ++i) {
        for (std::size_t d = 0; d < width; ++d)
          x.push_back(patches[i * width + d] + double{places[kept[i] * width + d]});
      }
    }
    return x;
  }

  void add_front(Doubles* x) const {
    const std::size_t width = config_.encoder.width;
    for (std::size_t d = 0; d < width; ++d)
      x->push_back(double{weights_.class_token[d]} + double{weights_.positions[d]});
    for (std::size_t d = 0; d < weights_.distillation_token.size(); ++d)
      x->push_back(double{weights_.distillation_token[d]} + double{weights_.positions[width + d]});
    x->insert(x->end(), weights_.registers.begin(), weights_.registers.end());
  }

  void blocks(const std::vector<VitBlock>& all, const VitStack& stack, std::size_t tokens,
              const std::string& name, Doubles& x) const {
    for (std::size_t i = 0; i < all.size(); ++i)
      block(all[i], stack, tokens, name + std::to_string(i), x);
  }

  void block(const VitBlock& weights, const VitStack& stack, std::size_t tokens,
             const std::string& name, Doubles& x) const {
    const std::size_t width = stack.width;
    const Doubles before = normalized(weights.norm1, x, width);
    note(name + "." + config_.names.norm1, before);
    const Doubles mixed = attend(linear(weights.qkv, before, width), stack, tokens);
    const Doubles attention = linear(weights.attention_output, mixed, width);
    note(name + ".attention", attention);
    add(attention, weights.scale1, x);
    const Doubles after = normalized(weights.norm2, x, width);
    note(name + "." + config_.names.norm2, after);
    Doubles inner = linear(weights.mlp_in, after, width);
    inner = weights.gated ? gated(inner, stack.mlp) : std::move(inner);
    if (!weights.gated) {
      for (double& value : inner) value = activated(config_.activation, value);
    }
    const Doubles mlp = linear(weights.mlp_out, inner, stack.mlp);
    note(name + ".mlp", mlp);
    add(mlp, weights.scale2, x);
    note(name, x);
  }

  static Doubles gated(const Doubles& both, std::size_t width) {
    Doubles out;
    for (std::size_t row = 0; row < both.size(); row += 2 * width) {
      for (std::size_t i = 0; i < width; ++i)
        out.push_back(activated(Activation::silu, both[row + i]) * both[row + width + i]);
    }
    return out;
  }

  static void add(const Doubles& branch, const std::vector<float>& scale, Doubles& x) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] += scale.empty() ? branch[i] : branch[i] * double{scale[i % scale.size()]};
  }

  Doubles attend(const Doubles& qkv, const VitStack& stack, std::size_t tokens) const {
    const std::size_t width = stack.width;
    const std::size_t head = width / stack.heads;
    Doubles out(images_.count * tokens * width);
    pool_.run(images_.count * stack.heads, [&](std::size_t item) {
      const std::size_t first = item / stack.heads * tokens;
      const std::size_t column = item % stack.heads * head;
      Doubles scores(tokens);
      for (std::size_t q = first; q < first + tokens; ++q) {
        attend_row(qkv, q, first, column, width, head, &scores);
        for (std::size_t d = 0; d < head; ++d) {
          double sum = 0;
          for (std::size_t k = 0; k < tokens; ++k)
            sum += scores[k] * qkv[(first + k) * 3 * width + 2 * width + column + d];
          out[q * width + column + d] = sum;
        }
      }
    });
    return out;
  }

  // The softmax of one query's scores.
  static void attend_row(const Doubles& qkv, std::size_t q, std::size_t first, std::size_t column,
                         std::size_t width, std::size_t head, Doubles* scores) {
    for (std::size_t k = 0; k < scores->size(); ++k) {
      double sum = 0;
      for (std::size_t d = 0; d < head; ++d)
        sum += qkv[q * 3 * width + column + d] * qkv[(first + k) * 3 * width + width + column + d];
      (*scores)[k] = sum / std::sqrt(static_cast<double>(head));
    }
    const double most = *std::max_element(scores->begin(), scores->end());
    double total = 0;
    for (double& score : *scores) total += score = std::exp(score - most);
    for (double& score : *scores) score /= total;
  }

  void classify(const Doubles& hidden) const {
    const std::size_t width = config_.encoder.width;
    Doubles seen = every(hidden, tokens_, width, 0);
    if (config_.mean_of_patches) seen = class_and_mean(hidden);
    const Doubles logits =
        linear(*weights_.classifier, seen, config_.mean_of_patches ? 2 * width : width);
    const bool two = weights_.distillation_classifier.has_value();
    note(two ? "cls_classifier" : "classifier", logits);
    if (two)
      note("distillation_classifier",
           linear(*weights_.distillation_classifier, every(hidden, tokens_, width, 1), width));
  }

  Doubles class_and_mean(const Doubles& hidden) const {
    const std::size_t width = config_.encoder.width;
    Doubles seen;
    for (std::size_t image = 0; image < images_.count; ++image) {
      const double* from = hidden.data() + image * tokens_ * width;
      seen.insert(seen.end(), from, from + width);
      for (std::size_t d = 0; d < width; ++d) {
        double sum = 0;
        for (std::size_t t = front_; t < tokens_; ++t) sum += from[t * width + d];
        seen.push_back(sum / static_cast<double>(tokens_ - front_));
      }
    }
    return seen;
  }

  void decode(const Doubles& latent) const {
    const std::size_t width = config_.decoder.width;
    const std::size_t all = 1 + grid_.cells();
    const Doubles embedded = linear(*weights_.decoder_embed, latent, config_.encoder.width);
    note("decoder.decoder_embed", embedded);
    const std::size_t own = weights_.decoder_positions.size() / width - 1;
    std::vector<float> places(
        weights_.decoder_positions.begin(),
        weights_.decoder_positions.begin() + static_cast<std::ptrdiff_t>(width));
    const std::vector<float> patches =
        positions(weights_.decoder_positions, 1, {1, own}, {1, grid_.cells()}, width);
    places.insert(places.end(), patches.begin(), patches.end());
    Doubles x;
    for (std::size_t image = 0; image < images_.count; ++image) {
      for (std::size_t token = 0; token < all; ++token) {
        const std::size_t at = token == 0 ? 0 : 1 + maskings_[image].restore[token - 1];
        for (std::size_t d = 0; d < width; ++d)
          x.push_back((at < tokens_ ? embedded[(image * tokens_ + at) * width + d]
                                    : double{weights_.mask_token[d]}) +
                      double{places[token * width + d]});
      }
    }
    blocks(weights_.decoder_blocks, config_.decoder, all, "decoder.decoder_layers.", x);
    x = normalized(weights_.decoder_norm, x, width);
    note("decoder.decoder_norm", x);
    note("decoder.decoder_pred", linear(*weights_.decoder_pred, x, width));
  }

  const VitConfig& config_;
  const VitWeights& weights_;
  ThreadPool& pool_;
  Images images_;
  const DoublePoint& point_;
  Grid grid_;
  std::vector<Masking> maskings_;
  std::size_t front_ = 0, tokens_ = 0;
};

}  // namespace

void forward_in_double(VitModel& model, ThreadPool& pool, const VitInput& input,
                       const DoublePoint& point) {
  DoublePass(model, pool, input, point).run();
}

}  // namespace samebits
