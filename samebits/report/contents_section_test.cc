#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/explain/diagnosis.h"
#include "samebits/report/sample_report.h"
#include "samebits/report/terminal.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::Not;

Report inspect_report() {
  std::vector<std::string> names = {"cls_token"};
  for (int i = 0; i < 12; ++i) {
    for (const char* part : {"q.weight", "k.weight", "v.weight"}) {
      names.push_back("blocks." + std::to_string(i) + "." + part);
    }
  }
  Checkpoint checkpoint = sample_checkpoint(CheckpointKind::whole_module, names);
  checkpoint.model_type = "vit";
  checkpoint.config = {{"hidden_size", 768}, {"layer_norm_eps", 1e-12}, {"obscure", 1}};
  checkpoint.config_from = "model.config";
  checkpoint.producer = {{"torch", "2.13.0"}};
  checkpoint.modules = {{.path = "", .training = false}, {.path = "drop", .training = true}};
  checkpoint.calls = {
      {.global = "os.system", .count = 1, .how = "REDUCE", .arguments = "('true')"},
      {.global = "torch._utils._rebuild_tensor_v2", .count = 37, .plain = true, .how = "REDUCE"}};
  checkpoint.training.optimizer = "optimizer_states[0]";
  checkpoint.oddities = {{.kind = Oddity::Kind::trailing, .summary = "12 bytes after the archive"}};
  checkpoint.bytes = {{0, 0, 296, ByteUse::weights},
                      {0, 296, 388, ByteUse::structure},
                      {0, 388, 400, ByteUse::unreferenced}};
  Report report;
  report.command = "inspect";
  report.verdict = Verdict::clean;
  report.subjects = {sample_subject("A", "model.pth", checkpoint)};
  return report;
}

TEST(Contents, FitOneScreen) {
  Report report = inspect_report();
  diagnose(report);
  EXPECT_EQ(render_terminal(report), R"(clean: no risk found in what was read

  A  model.pth  whole-module pickle  vit   37 tensors   torch 2.13.0
                                     1 of 2 modules in training mode

  written   torch 2.13.0
  tensors   37   74 parameters   296 bytes   float32
            name                 tensors  shape      size
            cls_token                  1  [2]     8 bytes
            blocks.{n}.q.weight       12  [2]    96 bytes
            blocks.{n}.k.weight       12  [2]    96 bytes
            blocks.{n}.v.weight       12  [2]    96 bytes
  config    hidden_size 768   layer_norm_eps 1e-12   and 1 more field
            (model.config)
  mode      2 modules   1 in training mode
            drop
  training  without step, scheduler, scaler, rng, sampler, ema
            optimizer  optimizer_states[0]
  calls     37 that rebuild data   and these:
            os.system  REDUCE  1  ('true')
  odd       12 bytes after the archive
  bytes     400 in 1 file
            weights       296  74.0 %
            structure      92  23.0 %
            unreferenced   12   3.0 %
)");
}

TEST(Contents, ListEveryTensorWhenAsked) {
  const std::string text = render_terminal(inspect_report(), {.all = true});
  EXPECT_THAT(text, HasSubstr("\n  blocks.11.v.weight   float32[2]   8 bytes   at 2368\n"));
  EXPECT_THAT(text, Not(HasSubstr("blocks.{n}")));
}

TEST(Contents, ListEveryDigestThatWasComputed) {
  Report report = inspect_report();
  report.subjects[0].digests.assign(37, std::string(64, 'e'));
  EXPECT_THAT(render_terminal(report), HasSubstr("\n    sha256 " + std::string(64, 'e') + "\n"));
}

TEST(Contents, SayWhereTheWeightsCameFromWhereThereWasAChoice) {
  Report report = inspect_report();
  Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  checkpoint.candidates[0].key = "state_dict";
  checkpoint.candidates.push_back({.key = "ema"});
  checkpoint.choice_reason = "the most common key";
  EXPECT_THAT(
      render_terminal(report),
      HasSubstr("  weights   under \"state_dict\"   the most common key   also there: \"ema\"\n"));
}

TEST(Contents, OfAFileWithoutWeightsSaySo) {
  Report report = inspect_report();
  Checkpoint empty;
  empty.kind = CheckpointKind::pickle;
  report.subjects[0].checkpoint = empty;
  EXPECT_THAT(render_terminal(report), HasSubstr("  tensors   none\n"));
}

}  // namespace
}  // namespace samebits
