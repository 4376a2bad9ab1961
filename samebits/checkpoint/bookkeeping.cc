#include "samebits/checkpoint/bookkeeping.h"

#include <algorithm>
#include <vector>

#include "samebits/checkpoint/candidates.h"

namespace samebits {
namespace {

/// Numbers and generators' states that stand in a dict, and no model's weights: what a callback
/// keeps, {"cpu": state, "cuda": [state]}.
bool is_bookkeeping(const Checkpoint& checkpoint, const Candidate& candidate) {
  constexpr std::uint64_t kDeviceState = 16;  // bytes: a seed and an offset
  if (candidate.is_module || candidate.key.empty() || is_usual_key(candidate.key)) return false;
  return std::ranges::all_of(candidate.weights, [&](std::uint32_t index) {
    const TensorView& view = checkpoint.entries[index].view;
    return view.shape().empty() || (view.dtype() == DType::uint8 && view.numel() == kDeviceState);
  });
}

}  // namespace

void set_aside_bookkeeping(Checkpoint& checkpoint) {
  if (checkpoint.candidates.size() < 2) return;
  std::vector<std::uint32_t> loose;
  std::vector<Candidate> kept;
  for (const Candidate& candidate : checkpoint.candidates) {
    if (is_bookkeeping(checkpoint, candidate))
      loose.insert(loose.end(), candidate.weights.begin(), candidate.weights.end());
    else
      kept.push_back(candidate);
  }
  if (kept.empty() || loose.empty()) return;
  for (const std::uint32_t index : loose) {
    const bool is_weight = std::ranges::any_of(kept, [&](const Candidate& each) {
      return std::ranges::find(each.weights, index) != each.weights.end();
    });
    if (!is_weight) checkpoint.entries[index].role = TensorRole::other;
  }
  checkpoint.candidates = std::move(kept);
}

}  // namespace samebits
