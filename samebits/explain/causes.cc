#include "samebits/explain/causes.h"

#include <algorithm>

#include "samebits/base/error.h"

namespace samebits {
namespace {

constexpr Cause kCauses[] = {
    {"weights.changed",
     "values differ (which tensors, how: all, few, one layer, sign, scale)",
     {"count", "tensors"}},
    {"weights.renamed",
     "same bytes under other names (the rules are listed)",
     {"count", "tensors"}},
    {"weights.missing", "in one side only", {"count", "tensors"}},
    {"weights.reinitialized",
     "this loader would leave N tensors at their random initial values, silently",
     {"count", "tensors"}},
    {"weights.rounded",
     "B is A rounded to a narrower type (bf16, fp16, fp8), stored narrow or widened again",
     {"count", "tensors"}},
    {"weights.rearranged",
     "same values transposed, reshaped, permuted, fused or split (qkv)",
     {"count", "tensors"}},
    {"weights.averaged", "raw against EMA weights", {"count", "tensors"}},
    {"weights.tied", "a shared tensor was saved once, twice or not at all", {"count", "tensors"}},
    {"weights.adapted",
     "one side is the other plus a low-rank update: LoRA merged, unmerged, or an adapter alone",
     {"count", "tensors"}},
    {"weights.quantized",
     "stored as integers or narrow floats with scales, or as a quantizing tensor subclass",
     {"count", "tensors"}},
    {"weights.layout",
     "one key, stored dense here and sparse there, or quantized by another scheme",
     {"count", "tensors"}},
    {"weights.invalid",
     "NaN, Inf, out-of-bounds view, bad checksum, truncated",
     {"count", "tensors"}},
    {"config.changed",
     "a field that matters to the outputs (mask_ratio, eps, activation, pooling, image size ...)",
     {"fields"}},
    {"mode.training", "modules left in training mode; dropout or batch-norm active", {"modules"}},
    {"rng.noise", "the forward pass draws random numbers in eval mode", {}},
    {"rng.seed", "same program, other seed or other generator state", {}},
    {"order.tokens", "outputs equal up to a permutation of tokens", {}},
    {"state.buffers", "non-persistent buffers differ or were rebuilt", {}},
    {"input.preprocessing", "other mean, std, size, interpolation, channel order", {"fields"}},
    {"numerics.dtype", "equal up to rounding: computed in another type", {}},
    {"numerics.attention", "equal up to rounding: another attention kernel", {}},
    {"numerics.batch", "equal up to rounding: another batch size takes another path", {}},
    {"numerics.threads", "equal up to rounding: sums are split over another number of threads", {}},
    {"numerics.alignment",
     "the weights lie, or may lie, at addresses with which PyTorch computes differently",
     {}},
    {"numerics.hardware", "equal up to rounding: another processor or instruction set", {}},
    {"numerics.rounding", "equal up to rounding: which choice did it is not known", {}},
    {"code.version", "another library version or class computes differently", {}},
    {"file.calls", "loading this pickle would call something that no checkpoint needs", {"calls"}},
    {"file.mixup",
     "the file compared is not the file that was saved (older, other run, other path)",
     {}},
    {"file.incomplete",
     "parts of a checkpoint are absent, stale or doubled: a shard or an index entry without its "
     "tensor, shards that the index does not name, two unlike models in one directory",
     {"parts"}},
    {"load.refused",
     "torch.load as it is called by default refuses this file (globals: names to allow), or needs "
     "map_location (devices)",
     {}},
    {"training.parted",
     "two trainings, or two recorded steps, part: in which step, and in what of it first",
     {}},
    {"resume.missing",
     "what exact resumption needs and this file lacks (optimizer moments, step, scheduler, RNG of "
     "torch/cuda/numpy/python, sampler position; scaler and EMA only where the file shows that "
     "they were used)",
     {"missing", "present"}},
};

}  // namespace

std::span<const Cause> causes() { return kCauses; }

const Cause& cause(std::string_view id) {
  const auto found = std::find_if(std::begin(kCauses), std::end(kCauses),
                                  [id](const Cause& each) { return each.id == id; });
  SAMEBITS_CHECK(found != std::end(kCauses));
  return *found;
}

bool has_evidence(const Finding& finding) {
  const Cause& expected = cause(finding.cause);
  return std::all_of(expected.evidence.begin(), expected.evidence.end(),
                     [&finding](std::string_view key) {
                       return key.empty() || finding.evidence.contains(std::string(key));
                     });
}

}  // namespace samebits
