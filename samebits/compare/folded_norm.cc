#include "samebits/compare/folded_norm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"

namespace samebits {
namespace {

constexpr std::array kUsualEps = {1e-5, 1e-3, 1e-6, 1e-4};
constexpr double kRoundings = 8;  // of a root, a division, products and sums

using Doubles = std::vector<double>;

bool is_foldable(const TensorView& view) {
  return info(view.dtype()).family == DTypeFamily::floating && has_element_values(view.dtype());
}

Doubles doubles_of(const TensorView& view) {
  Doubles values;
  values.reserve(view.numel());
  for_each_number(view, [&](double number) { values.push_back(number); });
  return values;
}

/// `fill` for each channel where there is no tensor; empty where its size is another.
Doubles channel_numbers(const TensorView* view, std::size_t channels, double fill) {
  if (view == nullptr) return Doubles(channels, fill);
  if (view->numel() != channels || !is_foldable(*view)) return {};
  return doubles_of(*view);
}

/// What is not known of a type counts as float32's.
double half_step(DType type) {
  const double known = half_spacing(type);
  return known > 0 ? known : half_spacing(DType::float32);
}

/// The norm's scale and shift of each channel for one eps, and how large what makes up the new bias
/// is.
struct Channels {
  Doubles scale, bias, size;
};

class Folding {
 public:
  Folding(const NormedLayer& layer, const TensorView& weight, const TensorView& bias)
      : channels_(bias.numel()),
        gamma_(channel_numbers(layer.gamma, channels_, 1)),
        beta_(channel_numbers(layer.beta, channels_, 0)),
        mean_(channel_numbers(layer.mean, channels_, 0)),
        variance_(channel_numbers(layer.variance, channels_, 1)),
        own_bias_(channel_numbers(layer.bias, channels_, 0)),
        before_(*layer.weight),
        weight_(weight),
        bias_(doubles_of(bias)),
        unit_(std::max(half_step(weight.dtype()), half_step(layer.weight->dtype()))) {}

  bool fits() const {
    const auto all = {&gamma_, &beta_, &mean_, &variance_, &own_bias_};
    return channels_ > 0 &&
           std::ranges::none_of(all, [](const Doubles* each) { return each->empty(); });
  }

  /// In units of rounding; infinite where anything is not finite.
  double distance(double eps, std::size_t along) const {
    const Channels channels = channels_for(eps);
    double largest = 0;
    for (std::size_t c = 0; c < channels_; ++c)
      largest = worst(largest, bias_[c] - channels.bias[c], channels.size[c]);
    const Shape& shape = weight_.shape();
    std::uint64_t inner = 1;
    for (std::size_t d = along + 1; d < shape.size(); ++d)
      inner *= static_cast<std::uint64_t>(shape[d]);
    NumberBlock before;
    NumberBlock after;
    constexpr std::uint64_t kBlock = 1 << 16;
    for (std::uint64_t first = 0; first < weight_.numel(); first += kBlock) {
      const std::uint64_t count = std::min(kBlock, weight_.numel() - first);
      before.load(before_, first, count);
      after.load(weight_, first, count);
      for (std::uint64_t i = 0; i < count; ++i) {
        const double wanted = before.numbers()[i] * channels.scale[(first + i) / inner % channels_];
        largest = worst(largest, after.numbers()[i] - wanted, std::abs(wanted));
      }
      if (largest > kRoundings) return largest;
    }
    return largest;
  }

 private:
  Channels channels_for(double eps) const {
    Channels made;
    for (std::size_t c = 0; c < channels_; ++c) {
      const double scale = gamma_[c] / std::sqrt(variance_[c] + eps);
      made.scale.push_back(scale);
      made.bias.push_back((own_bias_[c] - mean_[c]) * scale + beta_[c]);
      made.size.push_back((std::abs(own_bias_[c]) + std::abs(mean_[c])) * std::abs(scale) +
                          std::abs(beta_[c]));
    }
    return made;
  }

  double worst(double so_far, double apart, double size) const {
    // The smallest numbers of a half type are further apart than a part of themselves.
    const double tiny = std::ldexp(1.0, -24) * unit_ / std::ldexp(1.0, -11);
    const double units = std::abs(apart) / (size * unit_ + tiny * 1e-3);
    return std::isfinite(units) ? std::max(so_far, units) : HUGE_VAL;
  }

  std::size_t channels_;
  Doubles gamma_, beta_, mean_, variance_, own_bias_;
  const TensorView& before_;
  const TensorView& weight_;
  Doubles bias_;
  double unit_;
};

}  // namespace

std::optional<FoldedFit> fit_folded(const NormedLayer& layer, const TensorView& weight,
                                    const TensorView& bias) {
  if (layer.weight == nullptr || layer.mean == nullptr || layer.variance == nullptr)
    return std::nullopt;
  for (const TensorView* view : {layer.weight, &weight, &bias})
    if (!is_foldable(*view)) return std::nullopt;
  const Shape& shape = weight.shape();
  if (shape != layer.weight->shape() || shape.size() < 2 || weight.numel() == 0 ||
      bias.shape().size() != 1)
    return std::nullopt;
  const Folding folding(layer, weight, bias);
  if (!folding.fits()) return std::nullopt;
  for (const std::size_t along : {std::size_t{0}, std::size_t{1}}) {
    if (shape[along] != bias.shape()[0]) continue;
    for (const double eps : kUsualEps) {
      const double distance = folding.distance(eps, along);
      if (distance <= kRoundings) return FoldedFit{eps, distance};
    }
  }
  return std::nullopt;
}

}  // namespace samebits
