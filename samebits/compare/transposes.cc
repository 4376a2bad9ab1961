// The same values with the dimensions in another order.
#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/equal_bytes.h"

namespace samebits {
namespace {

using Order = std::vector<std::size_t>;  // dimension i of B is dimension order[i] of A

// Without the dimensions of size 1, which permute freely.
TensorView squeezed(const TensorView& view) {
  Shape shape;
  Strides strides;
  for (std::size_t d = 0; d < view.shape().size(); ++d) {
    if (view.shape()[d] == 1) continue;
    shape.push_back(view.shape()[d]);
    strides.push_back(view.strides()[d]);
  }
  auto made =
      TensorView::make(view.dtype(), shape, strides, view.byte_offset() / itemsize(view.dtype()),
                       view.storage(), view.big_endian());
  SAMEBITS_CHECK(made.has_value());
  return *std::move(made);
}

TensorView permuted(const TensorView& view, const Order& order) {
  TensorView result = view;
  Order held(order.size());  // which dimension of `view` stands where in `result`
  std::iota(held.begin(), held.end(), std::size_t{0});
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto at =
        static_cast<std::size_t>(std::find(held.begin(), held.end(), order[i]) - held.begin());
    result = result.transposed(static_cast<int>(i), static_cast<int>(at));
    std::swap(held[i], held[at]);
  }
  return result;
}

// A few elements, spread over the tensor: tells unlike tensors apart at once.
bool samples_equal(const TensorView& a, const TensorView& b) {
  constexpr std::uint64_t kSamples = 61;
  std::vector<std::uint8_t> buffer_a;
  std::vector<std::uint8_t> buffer_b;
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const std::uint64_t at = (a.numel() - 1) * i / (kSamples - 1);
    const Bytes x = a.row_major_range(at, 1, buffer_a);
    const Bytes y = b.row_major_range(at, 1, buffer_b);
    if (std::memcmp(x.data(), y.data(), x.size()) != 0) return false;
  }
  return true;
}

/// The order of A's dimensions that makes it equal to B.
std::optional<Order> order_between(const TensorView& a, const TensorView& b, int threads) {
  constexpr std::size_t kMostDimensions = 4;
  const TensorView x = squeezed(a);
  const TensorView y = squeezed(b);
  const std::size_t rank = x.shape().size();
  if (rank < 2 || rank > kMostDimensions || y.shape().size() != rank) return std::nullopt;
  Order order(rank);
  std::iota(order.begin(), order.end(), std::size_t{0});
  while (std::next_permutation(order.begin(), order.end())) {
    const auto fits = [&](std::size_t i) { return x.shape()[order[i]] == y.shape()[i]; };
    bool shapes = true;
    for (std::size_t i = 0; i < rank; ++i) shapes = shapes && fits(i);
    if (!shapes) continue;
    const TensorView view = permuted(x, order);
    if (samples_equal(view, y) && equal_bytes({{&view, &y}}, threads)[0]) return order;
  }
  return std::nullopt;
}

std::string order_text(const Order& order) {
  if (order.size() == 2) return "transposed";
  std::string text = "dimensions in the order ";
  for (std::size_t i = 0; i < order.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(order[i]);
  return text;
}

bool try_pair(AlignmentState& state, Link link) {
  const auto order = order_between(state.a()[link.a].view, state.b()[link.b].view, state.threads());
  if (order) state.match(link, MatchKind::rearranged, order_text(*order));
  return order.has_value();
}

using Key = std::pair<DType, Shape>;  // sizes sorted, without ones

Key key_of(const NamedTensor& tensor) {
  Shape sizes = tensor.view.shape();
  std::erase(sizes, 1);
  std::sort(sizes.begin(), sizes.end());
  return {tensor.view.dtype(), sizes};
}

}  // namespace

void match_transposes(AlignmentState& state) {
  constexpr std::size_t kMostPairs = 1'000'000;
  state.learn_rules();
  std::map<Key, std::vector<std::uint32_t>> of_b;
  for (const std::uint32_t i : state.all_free_b()) {
    if (state.b()[i].view.numel() > 1) of_b[key_of(state.b()[i])].push_back(i);
  }
  for (const std::uint32_t i : state.all_free_a()) {
    const auto at = of_b.find(key_of(state.a()[i]));
    if (at == of_b.end()) continue;
    if (const auto partner = state.expected(i)) {
      (void)try_pair(state, {i, *partner});
      continue;
    }
    if (at->second.size() * of_b.size() > kMostPairs) continue;
    for (const std::uint32_t j : at->second) {
      const bool spoken_for = !state.free_b(j) || state.back_by_name_or_role(j).has_value();
      if (!spoken_for && try_pair(state, {i, j})) break;
    }
  }
}

void mark_in_place(const WeightSet& a, const WeightSet& b, std::vector<TensorMatch>* matches) {
  const auto is_transpose = [](const TensorMatch& match) {
    return match.kind == MatchKind::rearranged && match.a.size() == 1 && match.b.size() == 1 &&
           (match.how == "transposed" || match.how.starts_with("dimensions in the order"));
  };
  const auto one_shape = [&](const TensorMatch& match) {
    return a[match.a[0]].view.shape() == b[match.b[0]].view.shape();
  };
  const auto last_part = [](const std::string& name) { return name.substr(name.rfind('.') + 1); };
  // A convention shows in matrices that are not square, or calls them kernel instead of weight.
  const bool convention = std::ranges::any_of(*matches, [&](const TensorMatch& match) {
    return is_transpose(match) &&
           (!one_shape(match) || last_part(a[match.a[0]].name) != last_part(b[match.b[0]].name));
  });
  if (convention) return;
  for (TensorMatch& match : *matches) match.in_place = is_transpose(match);
}

}  // namespace samebits
