// The same values with the dimensions in another order.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>

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
  auto made = view.over(shape, strides, view.byte_offset() / itemsize(view.dtype()));
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
    if (equal_bytes_at_last(view, y, threads)) return order;
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

/// A tensor of three dimensions as the matrices that two of them side by side make: flax keeps the
/// heads of attention apart, [width, heads, width of a head].
std::vector<TensorView> as_matrices(const TensorView& view) {
  const TensorView three = squeezed(view);
  const Shape& shape = three.shape();
  std::vector<TensorView> matrices;
  if (shape.size() != 3 || three.strides() != contiguous_strides(shape)) return matrices;
  for (const Shape& merged :
       {Shape{shape[0] * shape[1], shape[2]}, Shape{shape[0], shape[1] * shape[2]}}) {
    auto made = three.over(merged, contiguous_strides(merged),
                           three.byte_offset() / itemsize(three.dtype()));
    SAMEBITS_CHECK(made.has_value());
    matrices.push_back(*std::move(made));
  }
  return matrices;
}

/// A matrix and a tensor of three dimensions that is its transpose, cut.
bool is_cut_transpose(const TensorView& a, const TensorView& b, int threads) {
  const bool a_is_matrix = squeezed(a).shape().size() == 2;
  const TensorView matrix = squeezed(a_is_matrix ? a : b);
  if (matrix.shape().size() != 2) return false;
  const TensorView turned = matrix.transposed(0, 1);
  return std::ranges::any_of(as_matrices(a_is_matrix ? b : a), [&](const TensorView& other) {
    return other.shape() == turned.shape() && other.dtype() == turned.dtype() &&
           equal_bytes_at_last(turned, other, threads);
  });
}

bool try_pair(AlignmentState& state, Link link) {
  const TensorView& a = state.a()[link.a].view;
  const TensorView& b = state.b()[link.b].view;
  const auto order = order_between(a, b, state.threads());
  const bool is_cut = !order && is_cut_transpose(a, b, state.threads());
  if (order) state.match(link, MatchKind::rearranged, order_text(*order));
  if (is_cut) state.match(link, MatchKind::rearranged, "transposed and reshaped");
  return order || is_cut;
}

/// What no order of dimensions changes: the type, the sizes, and the elements on the diagonal.
struct Key {
  DType dtype;
  Shape sizes;  // sorted, without ones
  Digest128 diagonal;
  auto operator<=>(const Key&) const = default;
};

// The key of a tensor of several dimensions; nothing for others, which no order changes.
std::optional<Key> key_of(const TensorView& view) {
  constexpr std::int64_t kSamples = 16;
  Shape sizes = view.shape();
  std::erase(sizes, 1);
  if (sizes.size() < 2 || view.numel() < 2) return std::nullopt;
  std::sort(sizes.begin(), sizes.end());
  std::uint64_t step = 0;  // along the diagonal
  std::uint64_t inner = 1;
  for (std::size_t d = view.shape().size(); d-- > 0;) {
    const auto size = static_cast<std::uint64_t>(view.shape()[d]);
    if (size > 1) step += inner;
    inner *= size;
  }
  std::vector<std::uint8_t> diagonal;
  std::vector<std::uint8_t> buffer;
  const std::int64_t samples = std::min(kSamples, sizes[0]);
  for (std::int64_t i = 0; i < samples; ++i) {
    const auto at =
        static_cast<std::uint64_t>((sizes[0] - 1) * i / std::max<std::int64_t>(1, samples - 1));
    const Bytes element = view.row_major_range(at * step, 1, buffer);
    diagonal.insert(diagonal.end(), element.begin(), element.end());
  }
  return Key{view.dtype(), std::move(sizes), fast_digest(diagonal)};
}

/// Of the tensor, and of the matrices that it may stand for.
std::vector<Key> keys_of(const TensorView& view) {
  std::vector<Key> keys;
  if (auto key = key_of(view)) keys.push_back(*std::move(key));
  for (const TensorView& matrix : as_matrices(view))
    if (auto key = key_of(matrix)) keys.push_back(*std::move(key));
  return keys;
}

/// Tries the tensors of one key with each other, which are few where values are not constant.
class Transposes {
 public:
  explicit Transposes(AlignmentState& state) : state_(state) {}

  void run() {
    for (const std::uint32_t j : state_.all_free_b()) {
      for (Key& key : keys_of(state_.b()[j].view)) of_b_[std::move(key)].push_back(j);
    }
    for (const std::uint32_t i : state_.all_free_a()) {
      const std::vector<Key> keys = keys_of(state_.a()[i].view);
      if (keys.empty() || state_.a().is_constant(i)) continue;
      if (const auto partner = state_.expected(i)) {
        (void)try_pair(state_, {i, *partner});
        continue;
      }
      for (const Key& key : keys) {
        const auto at = of_b_.find(key);
        if (at != of_b_.end() && state_.free_a(i)) find_partner(i, &at->second);
      }
    }
    state_.learn_rules();
    transpose_constants();
    if (untried_ > 0)
      state_.values_unsearched.push_back(fmt::format(
          "{} of {} {} not tried as transposes of every tensor of {}: too many have the same "
          "values on their diagonals",
          untried_ == 1 ? "1 tensor" : fmt::format("{} tensors", untried_),
          state_.options().label_a, untried_ == 1 ? "was" : "were", state_.options().label_b));
  }

 private:
  /// A constant is equal to its transpose, which shows nothing: one that belongs to another by its
  /// name is turned as the others were.
  void transpose_constants() {
    std::set<std::string> shown;
    for (const TensorMatch& match : state_.matches()) {
      if (match.kind == MatchKind::rearranged) shown.insert(match.how);
    }
    for (const std::uint32_t i : state_.all_free_a()) {
      if (shown.empty() || !state_.a().is_constant(i)) continue;
      const auto partner = state_.expected(i);
      if (!partner) continue;
      const auto order =
          order_between(state_.a()[i].view, state_.b()[*partner].view, state_.threads());
      if (order && shown.contains(order_text(*order)))
        state_.match(Link{i, *partner}, MatchKind::rearranged, order_text(*order));
    }
  }

  void find_partner(std::uint32_t i, std::vector<std::uint32_t>* candidates) {
    for (auto j = candidates->begin(); j != candidates->end(); ++j) {
      if (!left_.take(1)) {
        ++untried_;
        return;
      }
      const bool spoken_for = !state_.free_b(*j) || state_.back_by_name_or_role(*j).has_value();
      if (spoken_for || !try_pair(state_, {i, *j})) continue;
      candidates->erase(j);
      return;
    }
  }

  AlignmentState& state_;
  std::map<Key, std::vector<std::uint32_t>> of_b_;
  WorkBudget left_{100'000};
  std::size_t untried_ = 0;
};

}  // namespace

void match_transposes(AlignmentState& state) {
  state.learn_rules();
  Transposes(state).run();
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
