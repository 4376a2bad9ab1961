#include "samebits/explain/summed_biases.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/compare/number_block.h"
#include "samebits/explain/named_weights.h"
#include "samebits/explain/rearranged_findings.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

using BiasNumbers = std::vector<double>;

/// The float32 values of a readable vector; nothing for others.
std::optional<BiasNumbers> bias_values(const NamedWeights& weights, const std::string& name) {
  const TensorView* view = weights.view(name);
  if (view == nullptr || view->dtype() != DType::float32 || view->shape().size() != 1)
    return std::nullopt;
  BiasNumbers numbers;
  for_each_number(*view, [&](double number) { numbers.push_back(number); });
  return numbers;
}

/// The two biases of a layer, "rnn.bias_ih_l0" and "rnn.bias_hh_l0".
struct BiasNames {
  std::string input, hidden;
};

std::optional<BiasNames> biases_of(const std::string& name) {
  constexpr std::string_view kInput = "bias_ih_l";
  const std::size_t at = name.rfind(kInput);
  if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) return std::nullopt;
  BiasNames names{name, name};
  names.hidden.replace(at, kInput.size(), "bias_hh_l");
  return names;
}

/// Rows of weight_hh for each of its columns: 1 of an RNN, 4 of an LSTM without projection.
bool adds_both(const NamedWeights& weights, const std::string& hidden) {
  std::string weight = hidden;
  weight.replace(weight.rfind("bias_hh_l"), 4, "weight");
  const TensorView* view = weights.view(weight);
  if (view == nullptr) return false;
  const Shape& shape = view->shape();
  return shape.size() == 2 && shape[1] > 0 && (shape[0] == shape[1] || shape[0] == 4 * shape[1]);
}

bool have_equal_sums(const BiasNumbers& x, const BiasNumbers& y, const BiasNumbers& u,
                     const BiasNumbers& v) {
  constexpr double kRounding = 0x1p-23;  // of a sum in float32, in parts of its terms
  if (x.size() != y.size() || x.size() != u.size() || x.size() != v.size()) return false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double size = std::abs(x[i]) + std::abs(y[i]) + std::abs(u[i]) + std::abs(v[i]);
    if (!(std::abs(x[i] + y[i] - u[i] - v[i]) <= kRounding * size)) return false;
  }
  return true;
}

}  // namespace

std::set<std::string> find_summed_biases(Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  std::set<std::string> changed;
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind == MatchKind::changed && match.a.size() == 1 && match.b.size() == 1 &&
        weight_name(a, match.a[0]) == weight_name(b, match.b[0]))
      changed.insert(weight_name(a, match.a[0]));
  }
  std::set<std::string> accounted;
  std::vector<std::string> layers;
  if (std::ranges::none_of(changed, [](const auto& name) { return biases_of(name).has_value(); }))
    return accounted;
  const NamedWeights in_a(a);
  const NamedWeights in_b(b);
  for (const std::string& name : changed) {
    const auto names = biases_of(name);
    if (!names || !changed.contains(names->hidden) || !adds_both(in_a, names->hidden)) continue;
    const auto x = bias_values(in_a, names->input), y = bias_values(in_a, names->hidden);
    const auto u = bias_values(in_b, names->input), v = bias_values(in_b, names->hidden);
    if (!x || !y || !u || !v || !have_equal_sums(*x, *y, *u, *v)) continue;
    accounted.insert({names->input, names->hidden});
    layers.push_back(names->input);
  }
  if (layers.empty()) return accounted;
  Finding finding{.cause = "weights.layout",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format(
      "the two biases of {} are divided otherwise, and their sums are equal but for rounding",
      counted(layers.size(), "recurrent layer"));
  finding.details.push_back("they are " + some_of(layers) + " and bias_hh beside each");
  finding.details.emplace_back("such a layer adds its two biases: it computes the same");
  finding.evidence = {{"count", accounted.size()},
                      {"tensors", name_list({accounted.begin(), accounted.end()})},
                      {"sums", true}};
  finding.remedy = kOnlyRounding;
  add_finding(report, std::move(finding));
  return accounted;
}

}  // namespace samebits
