#include "samebits/explain/locked_weights.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/compare/name_pieces.h"
#include "samebits/compare/settled_verdict.h"
#include "samebits/explain/tensor_roles.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

// The alignment of weights works on bytes. Each locked tensor is given bytes that are equal exactly
// where digest, type, shape and identity are: two complex numbers whose parts lie in [1, 2), so
// that none is NaN or zero. Those of a constant are equal, since its bytes are no evidence of where
// it belongs.
constexpr DType kStandInType = DType::complex128;
constexpr std::size_t kStandInBytes = 32;
using StandIn = std::vector<std::uint8_t>;

std::string described(const LockedTensor& tensor) {
  return fmt::format("{} [{}] {} {}", info(tensor.dtype).torch, fmt::join(tensor.shape, ","),
                     tensor.digest, tensor.identity);
}

StandIn stand_in(const LockedTensor& tensor) {
  const std::string hex = digest_text(LockAlgorithm::sha256, described(tensor));
  StandIn bytes;
  for (std::size_t i = 0; i < kStandInBytes; ++i) {
    const std::string pair = hex.substr(2 * (tensor.constant ? i % 16 : i), 2);
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(pair, nullptr, 16)));
    if (i % 8 == 7) bytes.back() = 0x3f;
    if (i % 8 == 6) bytes.back() |= 0xf0;
  }
  return bytes;
}

/// Shapes of two elements, one for each shape that stands: a 2 at the place p of r ones.
class StandInShapes {
 public:
  StandInShapes(const std::vector<LockedTensor>& a, const std::vector<LockedTensor>& b) {
    for (const auto* side : {&a, &b})
      for (const LockedTensor& tensor : *side) numbers_.try_emplace(tensor.shape, 0);
    std::size_t next = 0;
    for (auto& [shape, number] : numbers_) number = next++;
  }
  Shape of(const Shape& shape) const {
    std::size_t left = numbers_.at(shape), rank = 1;
    while (left >= rank && rank < kLimits.dimensions) left -= rank++;
    Shape made(rank, 1);
    made[std::min(left, rank - 1)] = 2;
    return made;
  }

 private:
  std::map<Shape, std::size_t> numbers_;
};

/// Roles follow from the real shapes.
std::vector<NamedTensor> named(const std::vector<LockedTensor>& tensors, bool with_roles) {
  std::vector<NamedTensor> out;
  for (const LockedTensor& tensor : tensors) {
    const auto view = TensorView::valueless(tensor.dtype, tensor.shape);
    out.push_back({.name = tensor.name, .view = view ? *view : TensorView(), .roles = {}});
  }
  if (with_roles) add_roles(&out);
  return out;
}

struct StandIns {
  std::vector<std::unique_ptr<StandIn>> bytes;  // tied tensors share them
  WeightSet set;
};

StandIns stand_ins(const std::vector<LockedTensor>& tensors, std::vector<NamedTensor> names,
                   const StandInShapes& shapes) {
  StandIns made;
  std::map<std::string, std::uint32_t> first;
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    const auto tie = first.find(tensors[i].tied_to);
    const bool tied =
        tie != first.end() && described(tensors[tie->second]) == described(tensors[i]);
    names[i].storage = tied ? names[tie->second].storage : i;
    if (!tied) first.emplace(tensors[i].name, i);
    made.bytes.push_back(std::make_unique<StandIn>(stand_in(tensors[i])));
    const Shape shape = shapes.of(tensors[i].shape);
    auto view = TensorView::make(kStandInType, shape, contiguous_strides(shape), 0,
                                 *made.bytes[names[i].storage]);
    SAMEBITS_CHECK(view);
    names[i].view = *std::move(view);
  }
  made.set = WeightSet(std::move(names));
  return made;
}

bool have_one_digest(const LockedTensor& a, const LockedTensor& b) {
  return a.digest == b.digest && a.dtype == b.dtype && a.identity == b.identity;
}

std::string how_unlike(const LockedTensor& a, const LockedTensor& b) {
  if (a.dtype != b.dtype)
    return fmt::format("{} became {}", info(b.dtype).torch, info(a.dtype).torch);
  if (a.shape != b.shape)
    return fmt::format("shape {} became {}", shape_text(b.shape), shape_text(a.shape));
  if (a.identity != b.identity) return "it is stored as another kind of tensor";
  return "another digest";
}

/// What the stand-ins cannot say is taken from the tensors themselves.
void settle(const std::vector<LockedTensor>& a, const std::vector<LockedTensor>& b,
            TensorMatch* match) {
  match->stats.reset();
  match->in_place = false;
  SAMEBITS_CHECK(match->a.size() == 1 && match->b.size() == 1);  // no stand-in is part of another
  const LockedTensor& left = a[match->a[0]];
  const LockedTensor& right = b[match->b[0]];
  if (match->kind == MatchKind::exchanged) return;
  match->how.clear();
  if (!have_one_digest(left, right)) {
    match->kind = MatchKind::changed;
    match->how = how_unlike(left, right);
  } else if (left.shape != right.shape) {
    match->kind = left.constant ? MatchKind::changed : MatchKind::rearranged;
    match->how = fmt::format("reshaped {} to {}", shape_text(left.shape), shape_text(right.shape));
  } else {
    match->kind = left.name == right.name ? MatchKind::same : MatchKind::renamed;
  }
}

/// Names of tensors of several roles on one side whose roles the other side has one by one.
std::set<std::string> fused_names(const std::vector<NamedTensor>& whole,
                                  const std::vector<NamedTensor>& parts) {
  std::map<std::string, std::string> by_role;
  for (const NamedTensor& tensor : parts)
    if (tensor.roles.size() == 1) by_role[tensor.roles[0]] = tensor.name;
  std::set<std::string> names;
  for (const NamedTensor& tensor : whole) {
    const auto is_known = [&](const std::string& role) { return by_role.contains(role); };
    if (tensor.roles.size() < 2 || !std::ranges::all_of(tensor.roles, is_known)) continue;
    names.insert(tensor.name);
    for (const std::string& role : tensor.roles) names.insert(by_role[role]);
  }
  return names;
}

/// "3" of "model.layers.3.mlp.experts.0.w1.weight".
std::string layer_of_experts(const std::string& name) {
  const std::vector<std::string> numbers = name_numbers(name.substr(0, name.find("experts.")));
  return numbers.empty() ? "" : numbers.back();
}

/// Of tensors of experts that one side has alone: their elements, by the layer.
std::map<std::string, std::int64_t> expert_elements(const std::vector<LockedTensor>& tensors,
                                                    const std::vector<std::string>& lone) {
  const std::set<std::string> names(lone.begin(), lone.end());
  std::map<std::string, std::int64_t> elements;
  for (const LockedTensor& tensor : tensors) {
    if (!names.contains(tensor.name) || tensor.name.find(".experts.") == std::string::npos)
      continue;
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    elements[layer_of_experts(tensor.name)] += count;
  }
  return elements;
}

/// Names of experts that one side holds in one tensor and the other one by one, of layers where
/// both hold as many elements.
std::set<std::string> stacked_experts(const std::vector<LockedTensor>& a,
                                      const std::vector<LockedTensor>& b,
                                      const WeightComparison& comparison) {
  const auto left = expert_elements(a, comparison.only_a);
  const auto right = expert_elements(b, comparison.only_b);
  std::set<std::string> names;
  for (const auto* lone : {&comparison.only_a, &comparison.only_b}) {
    for (const std::string& name : *lone) {
      if (name.find(".experts.") == std::string::npos) continue;
      const auto x = left.find(layer_of_experts(name));
      const auto y = right.find(layer_of_experts(name));
      if (x != left.end() && y != right.end() && x->second == y->second) names.insert(name);
    }
  }
  return names;
}

void order_matches(const std::vector<LockedTensor>& a, std::vector<TensorMatch>* matches) {
  std::vector<std::string_view> names;
  for (const LockedTensor& tensor : a) names.push_back(tensor.name);
  const std::vector<std::uint32_t> order = listing_order(names);
  std::vector<std::size_t> place(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::ranges::stable_sort(*matches, {}, [&](const TensorMatch& match) {
    const bool differs = match.kind == MatchKind::changed || match.kind == MatchKind::exchanged;
    return std::pair(!differs, place[match.a[0]]);
  });
}

}  // namespace

WeightComparison compare_locked(const std::vector<LockedTensor>& a,
                                const std::vector<LockedTensor>& b, int threads) {
  const bool same_names = std::ranges::equal(a, b, {}, &LockedTensor::name, &LockedTensor::name);
  const StandInShapes shapes(a, b);
  StandIns left = stand_ins(a, named(a, !same_names), shapes);
  StandIns right = stand_ins(b, named(b, !same_names), shapes);
  WeightComparison comparison = compare_weights(left.set, right.set, {.threads = threads});
  comparison.changed = comparison.bytes_compared = 0;
  for (TensorMatch& match : comparison.matches) {
    settle(a, b, &match);
    const bool differs = match.kind == MatchKind::changed || match.kind == MatchKind::exchanged;
    comparison.changed += differs ? 1 : 0;
  }
  order_matches(a, &comparison.matches);
  settle_verdict(&comparison);
  return comparison;
}

void set_aside_fused(const std::vector<LockedTensor>& a, const std::vector<LockedTensor>& b,
                     WeightComparison* comparison) {
  if (comparison->only_a.empty() || comparison->only_b.empty()) return;
  const std::vector<NamedTensor> left = named(a, true);
  const std::vector<NamedTensor> right = named(b, true);
  std::set<std::string> fused = fused_names(left, right);
  fused.merge(fused_names(right, left));
  fused.merge(stacked_experts(a, b, *comparison));
  std::size_t count = 0;
  for (auto* names : {&comparison->only_a, &comparison->only_b})
    count += std::erase_if(*names, [&](const std::string& name) { return fused.contains(name); });
  if (count == 0) return;
  comparison->unsearched.push_back(
      fmt::format("{} tensors are fused on one side and apart on the other, where digests say "
                  "nothing; samebits "
                  "diff against the file that was locked compares them",
                  count));
  settle_verdict(comparison);
  if (comparison->verdict != WeightsVerdict::different)
    comparison->verdict = WeightsVerdict::unknown;
}

}  // namespace samebits
