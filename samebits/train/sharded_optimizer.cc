#include "samebits/train/sharded_optimizer.h"

#include <algorithm>
#include <map>

#include "samebits/base/float_mode.h"

namespace samebits {
namespace {

Bytes bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

std::span<std::uint8_t> room_of(std::vector<float>& values) {
  return {reinterpret_cast<std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

/// The sums of nodes over one rank's elements, and their sum in the order of the tree.
class NodeSums {
 public:
  NodeSums(const Engine& engine, std::size_t elements) : engine_(engine), elements_(elements) {}

  void add(const LeafRange& node, float* values) { values_[node.first] = {node, values}; }

  /// Where the sum of a node stands; what it is made of is overwritten.
  float* sum(const LeafRange& node) {
    const auto found = values_.find(node.first);
    if (found != values_.end() && found->second.first == node) return found->second.second;
    const std::size_t split = split_of(node);
    float* left = sum({node.first, split});
    const float* right = sum({split, node.last});
    constexpr std::size_t kTogether = 65536;
    engine_.pool.run((elements_ + kTogether - 1) / kTogether, [&](std::size_t i) {
      const std::size_t at = i * kTogether;
      engine_.kernels.add_row(right + at, std::min(kTogether, elements_ - at), left + at);
    });
    return left;
  }

 private:
  const Engine& engine_;
  std::size_t elements_;
  std::map<std::size_t, std::pair<LeafRange, float*>> values_;  // by the first leaf
};

}  // namespace

ShardedOptimizer::ShardedOptimizer(ProcessGroup& group, const std::vector<LearningSlot>& slots)
    : group_(group), slots_(slots), parts_(slot_parts(slots)), of_ranks_(group.size()) {
  std::size_t elements = 0;
  for (const SlotPart& part : parts_) elements += part.count;
  begins_.push_back(0);
  std::size_t before = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    before += parts_[i].count;
    while (begins_.size() < group.size() && before * group.size() >= elements * begins_.size())
      begins_.push_back(i + 1);
  }
  begins_.resize(group.size(), parts_.size());
  begins_.push_back(parts_.size());
}

std::span<const SlotPart> ShardedOptimizer::parts_of_rank(std::size_t rank) const {
  return std::span(parts_).subspan(begins_[rank], begins_[rank + 1] - begins_[rank]);
}

std::size_t ShardedOptimizer::elements_of_rank(std::size_t rank) const {
  std::size_t elements = 0;
  for (const SlotPart& part : parts_of_rank(rank)) elements += part.count;
  return elements;
}

ShardedOptimizer::Arrays ShardedOptimizer::arrays(WeightSlot LearningSlot::* which) const {
  Arrays found;
  for (const LearningSlot& slot : slots_) found.push_back((slot.*which).data());
  return found;
}

/// Those of another gradient than the slots' own, by their roles.
ShardedOptimizer::Arrays ShardedOptimizer::gradients_of(VitWeights& gradient) const {
  std::map<std::string, float*> by_role;
  for (const WeightSlot& slot : weight_slots(gradient)) by_role[slot.role] = slot.data();
  Arrays found;
  for (const LearningSlot& slot : slots_) found.push_back(by_role.at(slot.gradient.role));
  return found;
}

void ShardedOptimizer::copy_out(std::size_t rank, const Arrays& arrays, float* out) const {
  for (const SlotPart& part : parts_of_rank(rank))
    out = std::copy_n(arrays[part.slot] + part.first, part.count, out);
}

void ShardedOptimizer::copy_in(std::size_t rank, const float* from, const Arrays& arrays) const {
  for (const SlotPart& part : parts_of_rank(rank)) {
    std::copy_n(from, part.count, arrays[part.slot] + part.first);
    from += part.count;
  }
}

/// Into out_: of each sum the elements of one rank.
void ShardedOptimizer::pack_sums(std::size_t rank, const std::vector<Arrays>& sums) {
  const std::size_t elements = elements_of_rank(rank);
  out_.resize(sums.size() * elements);
  for (std::size_t i = 0; i < sums.size(); ++i) copy_out(rank, sums[i], out_.data() + i * elements);
}

Result<void> ShardedOptimizer::sum(const Engine& engine, std::size_t leaves,
                                   const std::vector<PartialSum>& sums) {
  const FloatMode contract;
  const std::size_t size = group_.size();
  const std::size_t me = group_.rank();
  const std::size_t mine = elements_of_rank(me);
  SAMEBITS_CHECK(sums.size() == nodes_inside(leaves, leaves_of_rank(leaves, me, size)).size());
  std::vector<Arrays> arrays_of_sums;
  for (const PartialSum& each : sums) arrays_of_sums.push_back(gradients_of(*each.gradient));
  NodeSums all(engine, mine);
  for (std::size_t apart = 0; apart < size; ++apart) {
    const std::size_t to = (me + apart) % size;
    const std::size_t from = (me + size - apart) % size;
    const auto nodes = nodes_inside(leaves, leaves_of_rank(leaves, from, size));
    std::vector<float>& in = of_ranks_[from];
    pack_sums(to, arrays_of_sums);
    if (apart == 0) {
      in.swap(out_);
    } else {
      in.resize(nodes.size() * mine);
      SAMEBITS_TRY_VOID(group_.exchange(to, bytes_of(out_), from, room_of(in)));
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) all.add(nodes[i], in.data() + i * mine);
  }
  copy_in(me, all.sum({0, leaves}), arrays(&LearningSlot::gradient));
  return {};
}

Result<double> ShardedOptimizer::norm(const Engine& engine) {
  const std::vector<double> mine = part_squares(engine, slots_, parts_of_rank(group_.rank()));
  SAMEBITS_TRY(const auto all, share_numbers<double>(group_, mine));
  std::vector<double> squares;
  for (const std::vector<double>& each : all)
    squares.insert(squares.end(), each.begin(), each.end());
  return norm_of_squares(parts_, squares);
}

std::string ShardedOptimizer::step(const Engine& engine, std::span<const AdamwScalars> of_groups) {
  return adamw_step(engine, slots_, parts_of_rank(group_.rank()), of_groups);
}

Result<void> ShardedOptimizer::share_weights() {
  const std::size_t size = group_.size();
  const std::size_t me = group_.rank();
  const Arrays weights = arrays(&LearningSlot::weight);
  out_.resize(elements_of_rank(me));
  copy_out(me, weights, out_.data());
  for (std::size_t apart = 1; apart < size; ++apart) {
    const std::size_t from = (me + size - apart) % size;
    std::vector<float>& in = of_ranks_[from];
    in.resize(elements_of_rank(from));
    SAMEBITS_TRY_VOID(group_.exchange((me + apart) % size, bytes_of(out_), from, room_of(in)));
    copy_in(from, in.data(), weights);
  }
  return {};
}

Result<void> ShardedOptimizer::collect_moments() {
  const std::size_t size = group_.size();
  const std::size_t me = group_.rank();
  for (WeightSlot LearningSlot::* which : {&LearningSlot::first, &LearningSlot::second}) {
    const Arrays moments = arrays(which);
    out_.resize(elements_of_rank(me));
    copy_out(me, moments, out_.data());
    for (std::size_t apart = 1; apart < size; ++apart) {
      const std::size_t to = (me + apart) % size;
      const std::size_t from = (me + size - apart) % size;
      std::vector<float>& in = of_ranks_[from];
      in.resize(group_.first() ? elements_of_rank(from) : 0);
      SAMEBITS_TRY_VOID(group_.exchange(to, to == 0 ? bytes_of(out_) : Bytes(), from, room_of(in)));
      if (group_.first()) copy_in(from, in.data(), moments);
    }
  }
  return {};
}

}  // namespace samebits
