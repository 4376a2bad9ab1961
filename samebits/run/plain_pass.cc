#include "samebits/run/plain_pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "samebits/base/float_mode.h"
#include "samebits/kernels/work.h"

namespace samebits {
namespace {

constexpr std::size_t kPanel = 64;  // terms of a sum that are added up on their own

/// Vectors of 64 bytes, and the weights that go with one.
template <class Real>
struct Vector;
template <>
struct Vector<float> {
  typedef float Lanes __attribute__((vector_size(64)));
  typedef float Weights __attribute__((vector_size(64)));
};
template <>
struct Vector<double> {
  typedef double Lanes __attribute__((vector_size(64)));
  typedef float Weights __attribute__((vector_size(32)));
};

// sums[c] = x[k] * tile[k][c], added up over k in the order of `terms`, panel by panel as libraries
// do: the loop in which all the time goes.
template <class Real>
[[gnu::always_inline]] inline void sum_products(const Real* x,
                                                const std::vector<std::size_t>& terms,
                                                const float* tile, Real* sums) {
  using Lanes = typename Vector<Real>::Lanes;
  constexpr std::size_t kVectors = kTileColumns * sizeof(Real) / sizeof(Lanes);
  Lanes total[kVectors] = {};
  for (std::size_t first = 0; first < terms.size(); first += kPanel) {
    Lanes partial[kVectors] = {};
    for (std::size_t i = first; i < std::min(terms.size(), first + kPanel); ++i) {
      const std::size_t k = terms[i];
      const auto* w =
          reinterpret_cast<const typename Vector<Real>::Weights*>(tile + k * kTileColumns);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v)
        partial[v] += x[k] * __builtin_convertvector(w[v], Lanes);
    }
    for (std::size_t v = 0; v < kVectors; ++v) total[v] += partial[v];
  }
  std::memcpy(sums, total, sizeof total);
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SAMEBITS_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SAMEBITS_WIDEST
#endif
SAMEBITS_WIDEST void add_up(const double* x, const std::vector<std::size_t>& terms,
                            const float* tile, double* sums) {
  sum_products(x, terms, tile, sums);
}
SAMEBITS_WIDEST void add_up(const float* x, const std::vector<std::size_t>& terms,
                            const float* tile, float* sums) {
  sum_products(x, terms, tile, sums);
}
#undef SAMEBITS_WIDEST

template <class Real>
Real activated(Activation activation, Real x) {
  switch (activation) {
    case Activation::gelu: return Real(0.5) * x * (1 + std::erf(x * Real(M_SQRT1_2)));
    case Activation::gelu_tanh:
      return Real(0.5) * x *
             (1 + std::tanh(Real(M_2_SQRTPI * M_SQRT1_2) * (x + Real(0.044715) * x * x * x)));
    case Activation::quick_gelu: return x / (1 + std::exp(Real(-1.702) * x));
    case Activation::silu: return x / (1 + std::exp(-x));
    case Activation::relu: return x > 0 ? x : 0;
  }
  return x;
}

/// One pass. Sums go over their terms in the order of `mixed`, a generator's; without one, in
/// ascending order.
template <class Real>
class PlainPass {
  using Reals = std::vector<Real>;

 public:
  PlainPass(VitModel& model, ThreadPool& pool, const VitInput& input, std::mt19937* mixed,
            const PlainPoint<Real>& point)
      : config_(model.config()),
        weights_(model.weights()),
        pool_(pool),
        mixed_(mixed),
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
    Reals x = embeddings();
    note(config_.names.embeddings, x);
    blocks(weights_.blocks, config_.encoder, tokens_, config_.names.layers, x);
    x = normalized(weights_.norm, x, width);
    note(config_.names.norm, x);
    if (weights_.classifier) classify(x);
    if (weights_.pooler) {
      Reals pooled = linear(*weights_.pooler, every(x, tokens_, width, 0), width);
      for (Real& value : pooled) value = std::tanh(value);
      note(config_.names.pooler, pooled);
    }
    if (weights_.decoder_pred) decode(x);
  }

 private:
  void note(const std::string& name, const Reals& values) const { point_(name, values); }

  /// In which the terms of a sum are added.
  std::vector<std::size_t> order(std::size_t terms) const {
    std::vector<std::size_t> order(terms);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (mixed_ != nullptr) std::ranges::shuffle(order, *mixed_);
    return order;
  }

  Reals linear(const LinearWeights& layer, const Reals& x, std::size_t depth) const {
    const PackedMatrix& w = layer.matrix;
    const std::size_t rows = x.size() / depth;
    Reals out(rows * w.columns());
    const std::vector<std::size_t> terms = order(depth);
    const auto multiply = [&](std::size_t tile) {
      const std::size_t first = tile * kTileColumns;
      const std::size_t last = std::min(w.columns(), first + kTileColumns);
      for (std::size_t r = 0; r < rows; ++r) {
        Real sums[kTileColumns];
        add_up(x.data() + r * depth, terms, w.tile(tile), sums);
        for (std::size_t c = first; c < last; ++c)
          out[r * w.columns() + c] = sums[c - first] + Real(layer.bias[c]);
      }
    };
    pool_.run(w.tiles(), multiply, items_of_a_piece(rows * depth * kTileColumns));
    return out;
  }

  Reals normalized(const NormWeights& norm, const Reals& x, std::size_t width) const {
    Reals out(x.size());
    const std::vector<std::size_t> terms = order(width);
    const auto count = static_cast<Real>(width);
    for (std::size_t row = 0; row < x.size(); row += width) {
      Real sum = 0;
      for (const std::size_t d : terms) sum += x[row + d];
      const Real mean = sum / count;
      Real squares = 0;
      for (const std::size_t d : terms) squares += (x[row + d] - mean) * (x[row + d] - mean);
      const Real factor = 1 / std::sqrt(squares / count + Real(config_.eps));
      for (std::size_t d = 0; d < width; ++d)
        out[row + d] = (x[row + d] - mean) * factor * Real(norm.gamma[d]) + Real(norm.beta[d]);
    }
    return out;
  }

  /// Row `which` of every image.
  Reals every(const Reals& x, std::size_t tokens, std::size_t width, std::size_t which) const {
    Reals rows;
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

  Reals embeddings() const {
    const std::size_t width = config_.encoder.width;
    const std::vector<float> places =
        positions(weights_.positions, config_.positioned(),
                  patch_grid(config_, config_.image_height, config_.image_width), grid_, width);
    std::vector<std::size_t> all(grid_.cells());
    std::iota(all.begin(), all.end(), std::size_t{0});
    Reals x;
    for (std::size_t image = 0; image < images_.count; ++image) {
      add_front(&x);
      const std::vector<std::size_t>& kept = maskings_.empty() ? all : maskings_[image].kept;
      std::vector<float> rows(kept.size() * config_.patch_values());
      patch_rows(config_, images_, image, kept, rows.data());
      const Reals patches =
          linear(weights_.patches, {rows.begin(), rows.end()}, config_.patch_values());
      for (std::size_t i = 0; i < kept.size(); ++i) {
        for (std::size_t d = 0; d < width; ++d)
          x.push_back(patches[i * width + d] + Real(places[kept[i] * width + d]));
      }
    }
    return x;
  }

  void add_front(Reals* x) const {
    const std::size_t width = config_.encoder.width;
    for (std::size_t d = 0; d < width; ++d)
      x->push_back(Real(weights_.class_token[d]) + Real(weights_.positions[d]));
    for (std::size_t d = 0; d < weights_.distillation_token.size(); ++d)
      x->push_back(Real(weights_.distillation_token[d]) + Real(weights_.positions[width + d]));
    x->insert(x->end(), weights_.registers.begin(), weights_.registers.end());
  }

  void blocks(const std::vector<VitBlock>& all, const VitStack& stack, std::size_t tokens,
              const std::string& name, Reals& x) const {
    for (std::size_t i = 0; i < all.size(); ++i)
      block(all[i], stack, tokens, name + std::to_string(i), x);
  }

  void block(const VitBlock& weights, const VitStack& stack, std::size_t tokens,
             const std::string& name, Reals& x) const {
    const std::size_t width = stack.width;
    const Reals before = normalized(weights.norm1, x, width);
    note(name + "." + config_.names.norm1, before);
    const Reals mixed = attend(linear(weights.qkv, before, width), stack, tokens);
    const Reals attention = linear(weights.attention_output, mixed, width);
    note(name + "." + config_.names.attention, attention);
    add(attention, weights.scale1, x);
    const Reals after = normalized(weights.norm2, x, width);
    note(name + "." + config_.names.norm2, after);
    Reals inner = linear(weights.mlp_in, after, width);
    inner = weights.gated ? gated(inner, stack.mlp) : std::move(inner);
    if (!weights.gated) {
      for (Real& value : inner) value = activated(config_.activation, value);
    }
    const Reals mlp = linear(weights.mlp_out, inner, stack.mlp);
    note(name + "." + config_.names.mlp, mlp);
    add(mlp, weights.scale2, x);
    note(name, x);
  }

  static Reals gated(const Reals& both, std::size_t width) {
    Reals out;
    for (std::size_t row = 0; row < both.size(); row += 2 * width) {
      for (std::size_t i = 0; i < width; ++i)
        out.push_back(activated(Activation::silu, both[row + i]) * both[row + width + i]);
    }
    return out;
  }

  static void add(const Reals& branch, const std::vector<float>& scale, Reals& x) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] += scale.empty() ? branch[i] : branch[i] * Real(scale[i % scale.size()]);
  }

  Reals attend(const Reals& qkv, const VitStack& stack, std::size_t tokens) const {
    const std::size_t width = stack.width;
    const std::size_t head = width / stack.heads;
    Reals out(images_.count * tokens * width);
    const Orders orders = {order(tokens), order(head)};
    const auto attend_head = [&](std::size_t item) {
      const std::size_t first = item / stack.heads * tokens;
      const std::size_t column = item % stack.heads * head;
      Reals scores(tokens);
      for (std::size_t q = first; q < first + tokens; ++q) {
        attend_row(qkv, q, first, column, width, orders, &scores);
        for (std::size_t d = 0; d < head; ++d) {
          Real sum = 0;
          for (const std::size_t k : orders.keys)
            sum += scores[k] * qkv[(first + k) * 3 * width + 2 * width + column + d];
          out[q * width + column + d] = sum;
        }
      }
    };
    pool_.run(images_.count * stack.heads, attend_head,
              items_of_a_piece(2 * tokens * tokens * head));
    return out;
  }

  struct Orders {
    std::vector<std::size_t> keys, columns;
  };

  // The softmax of one query's scores.
  static void attend_row(const Reals& qkv, std::size_t q, std::size_t first, std::size_t column,
                         std::size_t width, const Orders& orders, Reals* scores) {
    for (std::size_t k = 0; k < scores->size(); ++k) {
      Real sum = 0;
      for (const std::size_t d : orders.columns)
        sum += qkv[q * 3 * width + column + d] * qkv[(first + k) * 3 * width + width + column + d];
      (*scores)[k] = sum / std::sqrt(static_cast<Real>(orders.columns.size()));
    }
    const Real most = *std::max_element(scores->begin(), scores->end());
    Real total = 0;
    for (const std::size_t k : orders.keys) total += (*scores)[k] = std::exp((*scores)[k] - most);
    for (Real& score : *scores) score /= total;
  }

  void classify(const Reals& hidden) const {
    const std::size_t width = config_.encoder.width;
    Reals seen = every(hidden, tokens_, width, 0);
    if (config_.mean_of_patches) seen = class_and_mean(hidden);
    const Reals logits =
        linear(*weights_.classifier, seen, config_.mean_of_patches ? 2 * width : width);
    const bool two = weights_.distillation_classifier.has_value();
    note(two ? config_.names.cls_classifier : config_.names.classifier, logits);
    if (two)
      note(config_.names.distillation_classifier,
           linear(*weights_.distillation_classifier, every(hidden, tokens_, width, 1), width));
  }

  Reals class_and_mean(const Reals& hidden) const {
    const std::size_t width = config_.encoder.width;
    const std::vector<std::size_t> terms = order(tokens_ - front_);
    Reals seen;
    for (std::size_t image = 0; image < images_.count; ++image) {
      const Real* from = hidden.data() + image * tokens_ * width;
      seen.insert(seen.end(), from, from + width);
      for (std::size_t d = 0; d < width; ++d) {
        Real sum = 0;
        for (const std::size_t t : terms) sum += from[(front_ + t) * width + d];
        seen.push_back(sum / static_cast<Real>(tokens_ - front_));
      }
    }
    return seen;
  }

  void decode(const Reals& latent) const {
    const std::size_t width = config_.decoder.width;
    const std::size_t all = 1 + grid_.cells();
    const Reals embedded = linear(*weights_.decoder_embed, latent, config_.encoder.width);
    note(config_.names.decoder_embed, embedded);
    const std::size_t own = weights_.decoder_positions.size() / width - 1;
    std::vector<float> places(
        weights_.decoder_positions.begin(),
        weights_.decoder_positions.begin() + static_cast<std::ptrdiff_t>(width));
    const std::vector<float> patches =
        positions(weights_.decoder_positions, 1, {1, own}, {1, grid_.cells()}, width);
    places.insert(places.end(), patches.begin(), patches.end());
    Reals x;
    for (std::size_t image = 0; image < images_.count; ++image) {
      for (std::size_t token = 0; token < all; ++token) {
        const std::size_t at = token == 0 ? 0 : 1 + maskings_[image].restore[token - 1];
        for (std::size_t d = 0; d < width; ++d)
          x.push_back((at < tokens_ ? embedded[(image * tokens_ + at) * width + d]
                                    : Real(weights_.mask_token[d])) +
                      Real(places[token * width + d]));
      }
    }
    blocks(weights_.decoder_blocks, config_.decoder, all, config_.names.decoder_layers, x);
    x = normalized(weights_.decoder_norm, x, width);
    note(config_.names.decoder_norm, x);
    note(config_.names.decoder_pred, linear(*weights_.decoder_pred, x, width));
  }

  const VitConfig& config_;
  const VitWeights& weights_;
  ThreadPool& pool_;
  std::mt19937* mixed_;
  Images images_;
  const PlainPoint<Real>& point_;
  Grid grid_;
  std::vector<Masking> maskings_;
  std::size_t front_ = 0, tokens_ = 0;
};

}  // namespace

void forward_in_double(VitModel& model, ThreadPool& pool, const VitInput& input,
                       const PlainPoint<double>& point) {
  const FloatMode contract;
  PlainPass<double>(model, pool, input, nullptr, point).run();
}

void forward_in_another_order(VitModel& model, ThreadPool& pool, const VitInput& input,
                              std::uint32_t seed, const PlainPoint<float>& point) {
  const FloatMode contract;
  std::mt19937 generator(seed);
  PlainPass<float>(model, pool, input, &generator, point).run();
}

}  // namespace samebits
