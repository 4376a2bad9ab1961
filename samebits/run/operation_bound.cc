#include "samebits/run/operation_bound.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

using Doubles = std::vector<double>;

constexpr double kUnit = 0x1p-24;  // of float32's rounding

double gamma(double n) { return n * kUnit / (1 - n * kUnit); }

/// Collects the element that is worst off.
class Worst {
 public:
  void add(std::size_t element, double recorded, double exact, double bound) {
    const double off = std::fabs(recorded - exact);
    // What is below the smallest normal number is rounded by more than its share.
    bound = bound * (1 + 0x1p-20) + 0x1p-140;
    const double excess = std::isfinite(off) ? off / bound : HUGE_VAL;
    if (any_ && excess <= excess_) return;
    any_ = true;
    excess_ = excess;
    check_ = {element, off, bound};
  }

  std::optional<OperationCheck> get() const { return any_ ? std::optional(check_) : std::nullopt; }

 private:
  bool any_ = false;
  double excess_ = 0;
  OperationCheck check_;
};

/// The steps of one model.
class Steps {
 public:
  Steps(VitModel& model, const RecordedPoint& recorded)
      : config_(model.config()), weights_(model.weights()), recorded_(recorded) {}

  std::optional<OperationCheck> check(const std::string& point) const {
    const Doubles* output = recorded_(point);
    if (output == nullptr || output->empty()) return std::nullopt;
    if (const auto found = check_blocks(point, *output, weights_.blocks, config_.encoder,
                                        config_.names.layers, config_.names.embeddings))
      return found;
    if (const auto found = check_blocks(point, *output, weights_.decoder_blocks, config_.decoder,
                                        config_.names.decoder_layers, ""))
      return found;
    const std::string last = config_.names.norm;
    if (point == last && !weights_.blocks.empty())
      return norm(*output, weights_.norm, config_.encoder.width,
                  {config_.names.layers + std::to_string(weights_.blocks.size() - 1)});
    if (point == config_.names.decoder_norm && !weights_.decoder_blocks.empty())
      return norm(
          *output, weights_.decoder_norm, config_.decoder.width,
          {config_.names.decoder_layers + std::to_string(weights_.decoder_blocks.size() - 1)});
    return check_head(point, *output, last);
  }

 private:
  std::optional<OperationCheck> check_blocks(const std::string& point, const Doubles& output,
                                             const std::vector<VitBlock>& blocks,
                                             const VitStack& stack, const std::string& name,
                                             const std::string& before) const {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::string own = name + std::to_string(i);
      if (!point.starts_with(own)) continue;
      const std::string input = i == 0 ? before : name + std::to_string(i - 1);
      if (point == own)
        return sum(output,
                   {input, own + "." + config_.names.attention, own + "." + config_.names.mlp},
                   blocks[i], stack.width);
      if (point == own + "." + config_.names.norm1)
        return norm(output, blocks[i].norm1, stack.width, {input});
      if (point == own + "." + config_.names.norm2 && blocks[i].scale1.empty())
        return norm(output, blocks[i].norm2, stack.width,
                    {input, own + "." + config_.names.attention});
    }
    return std::nullopt;
  }

  /// A recorded point of that many elements.
  const Doubles* input(const std::string& point, std::size_t elements) const {
    const Doubles* values = recorded_(point);
    return values != nullptr && values->size() == elements ? values : nullptr;
  }

  /// input + attention * scale1 + mlp * scale2
  std::optional<OperationCheck> sum(const Doubles& output, const std::vector<std::string>& points,
                                    const VitBlock& block, std::size_t width) const {
    const Doubles* x = input(points[0], output.size());
    const Doubles* attention = input(points[1], output.size());
    const Doubles* mlp = input(points[2], output.size());
    if (x == nullptr || attention == nullptr || mlp == nullptr) return std::nullopt;
    const auto scaled = [width](double value, const std::vector<float>& scale, std::size_t i) {
      return scale.empty() ? value : value * double{scale[i % width]};
    };
    Worst worst;
    for (std::size_t i = 0; i < output.size(); ++i) {
      const double a = scaled((*attention)[i], block.scale1, i);
      const double b = scaled((*mlp)[i], block.scale2, i);
      const double size = std::fabs((*x)[i]) + std::fabs(a) + std::fabs(b);
      worst.add(i, output[i], (*x)[i] + a + b, gamma(4) * size);
    }
    return worst.get();
  }

  /// The layer norm of the sum of the points, which float32 holds with one rounding. The bound
  /// covers variances from the mean of squares, running means, and (x * r - m * r) for (x - m) * r.
  std::optional<OperationCheck> norm(const Doubles& output, const NormWeights& weights,
                                     std::size_t width,
                                     const std::vector<std::string>& points) const {
    Doubles x(output.size());
    Doubles size(output.size());  // of what was added
    for (const std::string& point : points) {
      const Doubles* part = input(point, output.size());
      if (part == nullptr) return std::nullopt;
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] += (*part)[i];
        size[i] += std::fabs((*part)[i]);
      }
    }
    if (width == 0 || x.size() % width != 0) return std::nullopt;
    const double rounding = points.size() > 1 ? kUnit : 0;
    Worst worst;
    for (std::size_t row = 0; row < x.size(); row += width)
      norm_row(output, weights, width, row, x, size, rounding, &worst);
    return worst.get();
  }

  void norm_row(const Doubles& output, const NormWeights& weights, std::size_t width,
                std::size_t row, const Doubles& x, const Doubles& size, double rounding,
                Worst* worst) const {
    const auto n = static_cast<double>(width);
    double total = 0;
    double sizes = 0;
    for (std::size_t d = row; d < row + width; ++d) {
      total += x[d];
      sizes += size[d];
    }
    const double mean = total / n;
    double variance = 0;
    double squares = 0;
    for (std::size_t d = row; d < row + width; ++d) {
      variance += (x[d] - mean) * (x[d] - mean) / n;
      squares += size[d] * size[d] / n;
    }
    const double base = variance + double{config_.eps};
    const double mean_off = (gamma(2 * n) + rounding) * sizes / n;
    const double base_off =
        (gamma(2 * n + 4) + 2 * rounding) * 2 * squares + mean_off * mean_off + kUnit * base;
    if (!(base_off < base / 4)) return;  // nothing can be said of such a row
    const double factor = 1 / std::sqrt(base);
    // 1 / sqrt(base (1 + t)) for |t| < 1/4 is off by less than |t|, relatively.
    const double factor_off = base_off / base + 4 * kUnit;
    for (std::size_t i = 0; i < width; ++i) {
      const double value = x[row + i];
      const double g = double{weights.gamma[i]};
      const double b = double{weights.beta[i]};
      const double exact = (value - mean) * factor * g + b;
      const double value_off = mean_off + rounding * size[row + i];
      const double scaled_off =
          factor * (value_off + (std::fabs(value - mean) + value_off) * factor_off +
                    8 * kUnit * (std::fabs(value) + std::fabs(mean) + value_off));
      worst->add(row + i, output[row + i], exact,
                 std::fabs(g) * scaled_off * (1 + factor_off) +
                     4 * kUnit * (std::fabs(exact) + std::fabs(b)));
    }
  }

  std::optional<OperationCheck> check_head(const std::string& point, const Doubles& output,
                                           const std::string& last) const {
    const std::size_t width = config_.encoder.width;
    if (point == config_.names.decoder_embed && weights_.decoder_embed)
      return linear(output, *weights_.decoder_embed, last, width, 0, false);
    if (point == config_.names.decoder_pred && weights_.decoder_pred)
      return linear(output, *weights_.decoder_pred, config_.names.decoder_norm,
                    config_.decoder.width, 0, false);
    if (point == config_.names.pooler && weights_.pooler)
      return linear(output, *weights_.pooler, last, width, 0, true);
    if (config_.mean_of_patches) return std::nullopt;
    if ((point == config_.names.classifier || point == config_.names.cls_classifier) &&
        weights_.classifier)
      return linear(output, *weights_.classifier, last, width, 0, false);
    if (point == config_.names.distillation_classifier && weights_.distillation_classifier)
      return linear(output, *weights_.distillation_classifier, last, width, 1, false);
    return std::nullopt;
  }

  /// A linear layer of all tokens of `from`, or, where the output has fewer rows, of the token
  /// `which` of each image. `tanh`: of its result.
  std::optional<OperationCheck> linear(const Doubles& output, const LinearWeights& layer,
                                       const std::string& from, std::size_t depth,
                                       std::size_t which, bool tanh) const {
    const Doubles* x = recorded_(from);
    const PackedMatrix& w = layer.matrix;
    if (x == nullptr || w.depth() != depth || output.size() % w.columns() != 0 ||
        x->size() % depth != 0)
      return std::nullopt;
    const std::size_t rows = output.size() / w.columns();
    const std::size_t tokens = x->size() / depth / std::max<std::size_t>(1, rows);
    if (rows == 0 || tokens <= which || tokens * rows * depth != x->size()) return std::nullopt;
    const double share = gamma(static_cast<double>(depth) + 1);
    Worst worst;
    for (std::size_t r = 0; r < rows; ++r) {
      const double* row = x->data() + (r * tokens + which) * depth;
      for (std::size_t c = 0; c < w.columns(); ++c) {
        const float* tile = w.tile(c / kTileColumns) + c % kTileColumns;
        double exact = double{layer.bias[c]};
        double size = std::fabs(exact);
        for (std::size_t k = 0; k < depth; ++k) {
          const double term = row[k] * double{tile[k * kTileColumns]};
          exact += term;
          size += std::fabs(term);
        }
        double bound = share * size;
        if (tanh) {
          exact = std::tanh(exact);
          bound += 4 * kUnit * std::fabs(exact);
        }
        worst.add(r * w.columns() + c, output[r * w.columns() + c], exact, bound);
      }
    }
    return worst.get();
  }

  const VitConfig& config_;
  const VitWeights& weights_;
  const RecordedPoint& recorded_;
};

}  // namespace

std::optional<OperationCheck> check_operation(VitModel& model, const std::string& point,
                                              const RecordedPoint& recorded) {
  const FloatMode contract;
  return Steps(model, recorded).check(point);
}

}  // namespace samebits
