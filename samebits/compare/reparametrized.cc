#include "samebits/compare/reparametrized.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace samebits {
namespace {

constexpr std::string_view kParametrizations = "parametrizations.";
constexpr auto kFactorEnds = std::to_array<std::string_view>({"_g", "_v", "_orig", "_mask", "_u"});

std::string_view end_of_name(std::string_view name) { return name.substr(name.rfind('.') + 1); }

/// "0.weight" of "0.weight_v"; "" where the name does not end so.
std::string_view before(std::string_view name, std::string_view end) {
  if (!name.ends_with(end)) return "";
  name.remove_suffix(end.size());
  const std::string_view last = end_of_name(name);
  const bool is_parameter = last.find("weight") != last.npos || last.find("bias") != last.npos;
  return is_parameter ? name : "";
}

/// Where the parametrizations of a module begin in a name; npos where none stand in it.
std::size_t parametrized_at(std::string_view name) {
  const std::size_t at = name.find(kParametrizations);
  return at == 0 || (at != name.npos && name[at - 1] == '.') ? at : name.npos;
}

FactoredWeight of_suffixes(const WeightSet& set, const std::string& name) {
  const auto has = [&](const std::string& other) { return set.find(other).has_value(); };
  if (const std::string base(before(name, "_v")); !base.empty() && has(base + "_g"))
    return {base, Factoring::weight_norm, {base + "_g", name}};
  const std::string base(before(name, "_orig"));
  if (base.empty()) return {};
  if (has(base + "_mask")) return {base, Factoring::pruning, {name, base + "_mask"}};
  if (has(base + "_u") && has(base + "_v"))
    return {base, Factoring::spectral_norm, {name, base + "_u", base + "_v"}};
  return {};
}

FactoredWeight of_parametrizations(const WeightSet& set, const std::string& name, std::size_t at) {
  const auto has = [&](const std::string& other) { return set.find(other).has_value(); };
  const std::size_t begin = at + kParametrizations.size();
  const std::size_t end = name.find('.', begin);
  if (end == std::string::npos) return {};
  const std::string base = name.substr(0, at) + name.substr(begin, end - begin);
  const std::string front = name.substr(0, end + 1);
  if (has(front + "original0") && has(front + "original1"))
    return {base, Factoring::weight_norm, {front + "original0", front + "original1"}};
  if (has(front + "original") && has(front + "0._u") && has(front + "0._v"))
    return {base, Factoring::spectral_norm, {front + "original", front + "0._u", front + "0._v"}};
  FactoredWeight other{base, Factoring::other, {}};
  for (const NamedTensor& tensor : set.tensors())
    if (tensor.name.starts_with(front)) other.factors.push_back(tensor.name);
  return other;
}

using Numbers = std::vector<double>;

Numbers numbers_of_view(const TensorView& view) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 24U;
  if (!has_element_values(view.dtype()) || view.numel() > kMost) return {};
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  const std::size_t size = itemsize(view.dtype());
  Numbers numbers(view.numel());
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = element_as_double(view.dtype(), bytes.data() + i * size);
  return numbers;
}

/// directions times magnitudes over their norms, for each index of the one dimension in which there
/// is more than one magnitude.
Numbers of_weight_norm(const TensorView& magnitudes, const TensorView& directions) {
  const Shape& shape = directions.shape();
  const Numbers g = numbers_of_view(magnitudes);
  Numbers v = numbers_of_view(directions);
  std::size_t inner = v.size();
  std::size_t outer = 1;
  if (g.size() != 1) {
    if (magnitudes.shape().size() != shape.size()) return {};
    inner = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
      const auto size = static_cast<std::size_t>(shape[d]);
      if (magnitudes.shape()[d] == 1 && size != 1) {
        inner *= size;
        continue;
      }
      outer = size;
      if (size != 1) break;
    }
    if (outer != g.size()) return {};
  }
  Numbers norms(outer, 0.0);
  const auto row = [&](std::size_t i) { return i / inner % outer; };
  for (std::size_t i = 0; i < v.size(); ++i) norms[row(i)] += v[i] * v[i];
  for (std::size_t i = 0; i < v.size(); ++i) v[i] *= g[row(i)] / std::sqrt(norms[row(i)]);
  return v;
}

/// The matrix over u (W v), with the first dimension as rows.
Numbers of_spectral_norm(const TensorView& matrix, const TensorView& left,
                         const TensorView& right) {
  Numbers w = numbers_of_view(matrix);
  const Numbers u = numbers_of_view(left);
  const Numbers v = numbers_of_view(right);
  if (u.empty() || v.empty() || u.size() * v.size() != w.size()) return {};
  double sigma = 0;
  for (std::size_t i = 0; i < w.size(); ++i) sigma += u[i / v.size()] * w[i] * v[i % v.size()];
  for (double& value : w) value /= sigma;
  return w;
}

Numbers of_pruning(const TensorView& matrix, const TensorView& mask) {
  Numbers w = numbers_of_view(matrix);
  const Numbers kept = numbers_of_view(mask);
  if (kept.size() != w.size()) return {};
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= kept[i];
  return w;
}

}  // namespace

const char* factoring_name(Factoring factoring) {
  switch (factoring) {
    case Factoring::weight_norm: return "weight norm";
    case Factoring::spectral_norm: return "spectral norm";
    case Factoring::pruning: return "pruning";
    case Factoring::other: break;
  }
  return "a parametrization";
}

bool is_factor_name(std::string_view name) {
  if (parametrized_at(name) != name.npos) return true;
  return std::ranges::any_of(kFactorEnds,
                             [&](std::string_view end) { return !before(name, end).empty(); });
}

std::vector<FactoredWeight> factored_weights(const WeightSet& set) {
  std::vector<FactoredWeight> found;
  std::set<std::string> known;
  for (const NamedTensor& tensor : set.tensors()) {
    const std::size_t at = parametrized_at(tensor.name);
    FactoredWeight weight = at == std::string::npos ? of_suffixes(set, tensor.name)
                                                    : of_parametrizations(set, tensor.name, at);
    if (!weight.name.empty() && known.insert(weight.name).second)
      found.push_back(std::move(weight));
  }
  return found;
}

std::optional<double> distance_from_factors(const TensorView& weight,
                                            const FactoredWeight& factored, const WeightSet& set) {
  std::vector<const TensorView*> views;
  for (const std::string& name : factored.factors) {
    const NamedTensor& tensor = set[set.find(name).value()];
    if (!tensor.readable) return std::nullopt;
    views.push_back(&tensor.view);
  }
  Numbers computed;
  switch (factored.factoring) {
    case Factoring::weight_norm: computed = of_weight_norm(*views[0], *views[1]); break;
    case Factoring::spectral_norm:
      computed = of_spectral_norm(*views[0], *views[1], *views[2]);
      break;
    case Factoring::pruning: computed = of_pruning(*views[0], *views[1]); break;
    case Factoring::other: return std::nullopt;
  }
  const Numbers own = numbers_of_view(weight);
  if (own.empty() || own.size() != computed.size()) return std::nullopt;
  double largest = 0;
  double distance = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    largest = std::max(largest, std::abs(own[i]));
    distance = std::max(distance, std::abs(own[i] - computed[i]));
  }
  return largest > 0 ? distance / largest : distance;
}

}  // namespace samebits
