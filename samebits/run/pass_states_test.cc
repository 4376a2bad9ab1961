#include "samebits/run/pass_states.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/run/open_vit.h"
#include "samebits/run/run_request.h"
#include "samebits/run/weight_parts.h"

namespace samebits {
namespace {

/// The example, with two images of a size that has its positions resampled.
PreparedRun example_run() {
  auto run = prepare_run({.model = std::string(SAMEBITS_SOURCE_DIR) + "/examples/vit-mae-tiny/hf",
                          .input = {.randn = {2, 3, 48, 40}}});
  EXPECT_TRUE(run);
  return *std::move(run);
}

struct KeptPass {
  VitOutputs outputs;
  PassStates states;
};

KeptPass pass_of(PreparedRun& run, const PassStates* begun = nullptr, std::size_t first = 0) {
  ThreadPool pool(2);
  KeptPass pass;
  pass.outputs = run.model.forward({best_kernels(), pool}, {.images = run.input.view(),
                                                            .noise = run.noise,
                                                            .mask_ratio = run.mask_ratio,
                                                            .keep = &pass.states,
                                                            .begun = begun,
                                                            .first_stage = first});
  return pass;
}

bool same_outputs(const VitOutputs& x, const VitOutputs& y) {
  return std::ranges::equal(x.arrays, y.arrays, [](const NamedArray& a, const NamedArray& b) {
    return a.name == b.name && a.values == b.values;
  });
}

TEST(PassStates, APassThatStartsAtAnyStageHasTheSameBits) {
  PreparedRun run = example_run();
  const KeptPass whole = pass_of(run);
  const std::size_t stages = stage_count(run.model.weights());
  ASSERT_EQ(stages, 1 + 2 + 1 + 2 + 1U);
  ASSERT_EQ(whole.states.before.size(), stages);
  for (std::size_t first = 1; first < stages; ++first) {
    const KeptPass rest = pass_of(run, &whole.states, first);
    EXPECT_TRUE(same_outputs(rest.outputs, whole.outputs)) << first;
    for (std::size_t stage = 1; stage < stages; ++stage)
      EXPECT_EQ(*rest.states.before[stage], *whole.states.before[stage]) << first << " " << stage;
  }
}

// The stage of a part is the one that reads it: what stands before is not moved by it, what stands
// behind is.
TEST(PassStates, TheStageOfAPartIsWhereItActs) {
  PreparedRun run = example_run();
  PreparedRun other = example_run();
  VitWeights& moved = other.model.weights();
  for (VitBlock* block : {&moved.blocks[1], &moved.decoder_blocks[0]})
    for (LinearWeights* layer : {&block->qkv, &block->mlp_in})
      layer->bias.assign(layer->bias.size(), 2);
  for (std::vector<float>* values :
       {&moved.class_token, &moved.patches.bias, &moved.norm.beta, &moved.decoder_embed->bias,
        &moved.mask_token, &moved.decoder_norm.gamma, &moved.decoder_pred->bias})
    values->assign(values->size(), 3);
  const KeptPass before = pass_of(run);
  const auto parts = differing_parts(run.model.weights(), moved);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 15U);
  for (const std::string& part : *parts) {
    const auto exchange = exchanges(run.model.weights(), moved, {part});
    for (const auto& call : exchange) call();
    const KeptPass after = pass_of(run);
    const std::size_t acts = stage_of(run.model.weights(), part);
    for (std::size_t stage = 1; stage < before.states.before.size(); ++stage) {
      // A key's bias moves no softmax beyond rounding.
      if (part.find("key.bias") != part.npos && stage > acts) continue;
      EXPECT_EQ(*after.states.before[stage] == *before.states.before[stage], stage <= acts)
          << part << " " << stage;
    }
    EXPECT_TRUE(same_outputs(pass_of(run, &before.states, acts).outputs, after.outputs)) << part;
    for (const auto& call : exchange) call();
  }
}

}  // namespace
}  // namespace samebits
