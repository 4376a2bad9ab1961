#include "samebits/explain/quantized_stats.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

#include "samebits/base/parallel.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

/// What is decoded at a time to be measured: one tensor on each side.
constexpr std::uint64_t kMostDecoded = std::uint64_t{1} << 31U;  // bytes

struct DecodedView {
  std::vector<std::uint8_t> bytes;
  TensorView view;
};

/// The quantized layers of one side.
class QuantizedSide {
 public:
  explicit QuantizedSide(const Subject& subject)
      : layers_(quantized_layers(*subject.checkpoint)), source_(*subject.checkpoint) {
    for (const auto& [layer, parts] : layers_)
      for (const std::string& part : parts) layer_of_.emplace(part, layer);
  }
  bool empty() const { return layers_.empty(); }
  bool holds(const std::string& name) const { return layer_of_.contains(name); }

  const StoredTensor* find(const std::string& name) const { return source_.find(name); }

  /// Where the tensor of that name is one of codes that can be read.
  std::optional<QuantizedWeight> codes(const std::string& name) const {
    const auto layer = layer_of_.find(name);
    if (layer == layer_of_.end()) return std::nullopt;
    auto weight = read_quantized(source_, layer->second, layers_.at(layer->second));
    if (!weight || weight->codes_name != name) return std::nullopt;
    return weight;
  }

 private:
  QuantizedLayers layers_;
  LayerSource source_;
  std::map<std::string, std::string> layer_of_;
};

std::optional<DecodedView> decoded_view(const QuantizedWeight& weight, int threads) {
  if (weight.numel() > kMostDecoded / sizeof(float)) return std::nullopt;
  DecodedView made;
  made.bytes.resize(weight.numel() * sizeof(float));
  constexpr std::uint64_t kRun = 1 << 18;
  const std::uint64_t runs = (weight.numel() + kRun - 1) / kRun;
  parallel_for(static_cast<std::size_t>(runs), threads, [&](std::size_t part) {
    const std::uint64_t first = part * kRun;
    DecodedRun run;
    weight.read(first, std::min(kRun, weight.numel() - first), run);
    for (std::size_t i = 0; i < run.numbers.size(); ++i) {
      const auto number = static_cast<float>(run.numbers[i]);
      std::memcpy(made.bytes.data() + (first + i) * sizeof(float), &number, sizeof(float));
    }
  });
  auto view = TensorView::make(DType::float32, weight.shape, contiguous_strides(weight.shape), 0,
                               Bytes(made.bytes));
  if (!view) return std::nullopt;
  made.view = *std::move(view);
  return made;
}

bool may_be_codes(const TensorView& view) {
  return !is_floating(view.dtype()) || itemsize(view.dtype()) == 1;
}

std::optional<TensorStats> stats_as_read(const std::optional<QuantizedWeight>& a,
                                         const std::optional<QuantizedWeight>& b,
                                         const ValuePair& stored, int threads) {
  if ((a ? a->shape : stored.a.shape()) != (b ? b->shape : stored.b.shape())) return std::nullopt;
  const std::optional<DecodedView> read_a = a ? decoded_view(*a, threads) : std::nullopt;
  const std::optional<DecodedView> read_b = b ? decoded_view(*b, threads) : std::nullopt;
  if ((a && !read_a) || (b && !read_b)) return std::nullopt;
  const ValuePair said{read_a ? read_a->view : stored.a, read_b ? read_b->view : stored.b};
  if (!have_numbers(said)) return std::nullopt;
  TensorStats stats = relate_values({said}, threads)[0].stats;
  if (stats.differing == 0) stats.pattern.clear();
  stats.max_ulp.reset();  // the type of the decoded numbers is nobody's choice
  return stats;
}

/// Codes alone say least; other pairs without statistics have another shape or type.
double share_of_change(const TensorMatch& match) {
  if (match.how == kCodesAlone) return 0;
  return match.stats ? match.stats->relative_norm : std::numeric_limits<double>::infinity();
}

bool comes_first(const TensorMatch& match) {
  return match.kind == MatchKind::changed || match.kind == MatchKind::exchanged;
}

/// A pair of which at least one tensor belongs to a quantized layer.
void settle_match(TensorMatch& match, const QuantizedSide& side_a, const QuantizedSide& side_b,
                  const StoredTensor& from, const StoredTensor& to, int threads) {
  const auto codes_a = side_a.codes(from.name);
  const auto codes_b = side_b.codes(to.name);
  const bool are_codes = codes_a || codes_b;
  if (!are_codes && !may_be_codes(from.view) && !may_be_codes(to.view)) return;
  match.stats =
      are_codes ? stats_as_read(codes_a, codes_b, {from.view, to.view}, threads) : std::nullopt;
  // What stands under another tensor's name does so whatever its codes mean.
  if (match.kind == MatchKind::exchanged && !match.how.ends_with("permuted")) return;
  const bool has_other_shape = match.kind == MatchKind::changed && !match.how.empty();
  match.kind = MatchKind::changed;
  if (match.stats)
    match.how =
        match.stats->differing == 0 ? "codes that say the same numbers" : "codes read as numbers";
  else if (!has_other_shape)
    match.how = kCodesAlone;
}

/// Rows of codes in another order are no exchange of weights.
void drop_permuted_codes(const QuantizedSide& side, std::vector<Exchange>& exchanges) {
  std::erase_if(exchanges, [&](const Exchange& exchange) {
    return exchange.names_a == exchange.names_b &&
           std::ranges::all_of(exchange.names_a, [&](const std::string& name) {
             const StoredTensor* tensor = side.find(name);
             return side.holds(name) && tensor != nullptr && may_be_codes(tensor->view);
           });
  });
}

}  // namespace

void settle_quantized(const Report& report, WeightPair* pair, int threads) {
  const Subject& a = subject_of(report, pair->a);
  const Subject& b = subject_of(report, pair->b);
  const QuantizedSide side_a(a);
  const QuantizedSide side_b(b);
  if (side_a.empty() && side_b.empty()) return;
  std::vector<TensorMatch>& matches = pair->comparison.matches;
  for (TensorMatch& match : matches) {
    if (!comes_first(match) || match.a.size() != 1 || match.b.size() != 1) continue;
    const StoredTensor& from = weight_entry(a, match.a[0]);
    const StoredTensor& to = weight_entry(b, match.b[0]);
    if (side_a.holds(from.name) || side_b.holds(to.name))
      settle_match(match, side_a, side_b, from, to, threads);
  }
  drop_permuted_codes(side_a, pair->comparison.exchanges);
  const auto rest = std::ranges::find_if_not(matches, comes_first);
  std::stable_sort(matches.begin(), rest, [](const TensorMatch& x, const TensorMatch& y) {
    return share_of_change(x) > share_of_change(y);
  });
}

}  // namespace samebits
