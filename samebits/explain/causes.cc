#include "samebits/explain/causes.h"

#include <algorithm>

#include "samebits/base/error.h"

namespace samebits {
namespace {

constexpr Cause kCauses[] = {
    {"weights.changed",
     "values differ (which tensors, how: all, few, one layer, sign, scale)",
     "docs/causes/weights.changed.md",
     {"count", "tensors"}},
    {"weights.renamed",
     "same bytes under other names (the rules are listed)",
     "docs/causes/weights.renamed.md",
     {"count", "tensors"}},
    {"weights.missing", "in one side only", "docs/causes/weights.missing.md", {"count", "tensors"}},
    {"weights.reinitialized",
     "this loader would leave N tensors at their random initial values, silently",
     "docs/causes/weights.reinitialized.md",
     {"count", "tensors"}},
    {"weights.rounded",
     "B is A rounded to a narrower type (bf16, fp16, fp8), stored narrow or widened again",
     "docs/causes/weights.rounded.md",
     {"count", "tensors"}},
    {"weights.rearranged",
     "same values transposed, reshaped, permuted, fused or split (qkv)",
     "docs/causes/weights.rearranged.md",
     {"count", "tensors"}},
    {"weights.averaged",
     "raw against EMA weights",
     "docs/causes/weights.averaged.md",
     {"count", "tensors"}},
    {"weights.tied",
     "a shared tensor was saved once, twice or not at all",
     "docs/causes/weights.tied.md",
     {"count", "tensors"}},
    {"weights.invalid",
     "NaN, Inf, out-of-bounds view, bad checksum, truncated",
     "docs/causes/weights.invalid.md",
     {"count", "tensors"}},
    {"config.changed",
     "a field that matters to the outputs (mask_ratio, eps, activation, pooling, image size ...)",
     "docs/causes/config.changed.md",
     {"fields"}},
    {"mode.training",
     "modules left in training mode; dropout or batch-norm active",
     "docs/causes/mode.training.md",
     {"modules"}},
    {"rng.noise",
     "the forward pass draws random numbers in eval mode",
     "docs/causes/rng.noise.md",
     {}},
    {"rng.seed",
     "same program, other seed or other generator state",
     "docs/causes/rng.seed.md",
     {}},
    {"order.tokens",
     "outputs equal up to a permutation of tokens",
     "docs/causes/order.tokens.md",
     {}},
    {"state.buffers",
     "non-persistent buffers differ or were rebuilt",
     "docs/causes/state.buffers.md",
     {}},
    {"input.preprocessing",
     "other mean, std, size, interpolation, channel order",
     "docs/causes/input.preprocessing.md",
     {"fields"}},
    {"numerics.dtype",
     "equal up to rounding: computed in another type",
     "docs/causes/numerics.dtype.md",
     {}},
    {"numerics.attention",
     "equal up to rounding: another attention kernel",
     "docs/causes/numerics.attention.md",
     {}},
    {"numerics.batch",
     "equal up to rounding: another batch size takes another path",
     "docs/causes/numerics.batch.md",
     {}},
    {"numerics.threads",
     "equal up to rounding: sums are split over another number of threads",
     "docs/causes/numerics.threads.md",
     {}},
    {"numerics.alignment",
     "equal up to rounding: the weights lie elsewhere in memory",
     "docs/causes/numerics.alignment.md",
     {}},
    {"numerics.hardware",
     "equal up to rounding: another processor or instruction set",
     "docs/causes/numerics.hardware.md",
     {}},
    {"numerics.rounding",
     "equal up to rounding: which choice did it is not known",
     "docs/causes/numerics.rounding.md",
     {}},
    {"code.version",
     "another library version or class computes otherwise",
     "docs/causes/code.version.md",
     {}},
    {"file.calls",
     "loading this pickle would call something that no checkpoint needs",
     "docs/causes/file.calls.md",
     {"calls"}},
    {"file.mixup",
     "the file compared is not the file that was saved (older, other run, other path)",
     "docs/causes/file.mixup.md",
     {}},
    {"resume.missing",
     "what exact resumption needs and this file lacks (optimizer moments, step, scheduler, RNG of "
     "torch/cuda/numpy/python, sampler position; scaler and EMA only where the file shows that "
     "they were used)",
     "docs/causes/resume.missing.md",
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
