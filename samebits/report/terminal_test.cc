#include "samebits/report/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/explain/diagnosis.h"
#include "samebits/report/sample_report.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string shown(Report report, const TerminalStyle& style = {}) {
  diagnose(report);
  return render_terminal(report, style);
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    widest = std::max(widest, columns(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return widest;
}

// The seed case: three loads of one model that draws noise.
Report noise_report() {
  const std::vector<std::string> names = {"vit.norm.weight", "vit.norm.bias"};
  Report report;
  report.command = "explain";
  report.verdict = Verdict::different;
  Checkpoint directory = sample_checkpoint(CheckpointKind::hf_directory, names);
  directory.model_type = "vit_mae";
  directory.producer = {{"transformers", "5.24.0"}};
  Checkpoint module = sample_checkpoint(CheckpointKind::whole_module, names);
  module.description = "TransformerModel(model=ViTMAEForPreTraining)";
  module.modules.resize(3);
  report.subjects = {
      sample_subject("A", "hf/", directory), sample_subject("B", "whole.pth", module),
      sample_subject("C", "statedict.pth", sample_checkpoint(CheckpointKind::state_dict, names))};
  report.subjects[2].config_borrowed_from = "A";
  report.weights = {sample_pair("A", "B", WeightsVerdict::identical, 2),
                    sample_pair("A", "C", WeightsVerdict::identical, 2)};
  report.weights[0].comparison.rules = {{"", "model.", 2}};
  report.weights[1].comparison.rules = {{"a", "b", 1}, {"c", "d", 1}};
  report.config = {{"A", "B", {}}};
  report.outputs = {{"A", "B", "vit.layernorm", "different", 307200, 307200, 1.07},
                    {"A", "C", "vit.layernorm", "different", 307200, 307200, 1.16}};
  Finding finding = sample_finding("rng.noise", Role::cause, Proof::proved,
                                   "every forward pass draws a new random mask");
  finding.details = {"vit.embeddings draws torch.rand(8, 196) in every call, in eval mode too",
                     "A run twice differs from itself, up to 5.24"};
  finding.remedy = "model(x, noise=noise) with noise = torch.rand(8, 196) drawn once";
  report.findings = {finding};
  return report;
}

TEST(Terminal, EqualModelsWithARiskAreNotSameForTheRisk) {
  Report report;
  report.command = "diff";
  report.verdict = Verdict::same;
  report.findings = {sample_finding("mode.training", Role::risk, Proof::observed,
                                    "87 of 87 modules are in training mode")};
  EXPECT_THAT(shown(report), StartsWith("same; risk: 87 of 87 modules"));
  report.subjects = {
      sample_subject("A", "a", sample_checkpoint(CheckpointKind::state_dict, {"w"})),
      sample_subject("B", "b", sample_checkpoint(CheckpointKind::state_dict, {"w"}))};
  report.weights = {sample_pair("A", "B", WeightsVerdict::identical, 1)};
  EXPECT_THAT(shown(report), StartsWith("same weights; risk: 87 of 87 modules"));
  report.outputs = {{"A", "B", "logits", "identical", 10, 0, 0}};
  EXPECT_THAT(shown(report), StartsWith("same outputs; risk: 87 of 87 modules"));
}

TEST(Terminal, GivesTheAnswerFirstOnOneScreen) {
  EXPECT_EQ(shown(noise_report()),
            R"(different: every forward pass draws a new random mask                     proved

  A  hf/            Hugging Face directory  vit_mae   2 tensors
                                            transformers 5.24.0
  B  whole.pth      whole-module pickle     TransformerModel(model=
                                            ViTMAEForPreTraining)   2 tensors
                                            eval
  C  statedict.pth  state dict              2 tensors   (config from A)

  weights   A = B = C   2 of 2 tensors bit-identical
            (B has the prefix "model."; C is renamed by 2 rules)
  config    A = B
  outputs   A, B, C differ at vit.layernorm: 100 % of 307 200 elements, up to
            1.16

  why       vit.embeddings draws torch.rand(8, 196) in every call, in eval mode
            too
            A run twice differs from itself, up to 5.24
  do this   model(x, noise=noise) with noise = torch.rand(8, 196) drawn once

  proved    shown by runs in which nothing else was changed
)");
}

TEST(Terminal, SaysNoRemedyTwice) {
  Report report = noise_report();
  std::vector<Finding> findings(report.findings.begin(), report.findings.end());
  findings.push_back(
      sample_finding("mode.training", Role::contributes, Proof::observed, "B is in training mode"));
  findings.push_back(
      sample_finding("rng.seed", Role::contributes, Proof::observed, "the noise is another"));
  findings[1].remedy = "Call model.eval()";
  findings[2].remedy = findings[0].remedy;
  report.findings = findings;
  const std::string text = shown(report);
  const std::string remedy = "do this   " + findings[0].remedy;
  ASSERT_THAT(text, HasSubstr(remedy));
  EXPECT_EQ(text.find(remedy, text.find(remedy) + 1), std::string::npos);
  EXPECT_THAT(text, HasSubstr("do this   Call model.eval()"));
}

TEST(Terminal, FitsTheScreenAtEveryWidth) {
  for (const int width : {40, 60, 80, 120}) {
    EXPECT_LE(widest_line(shown(noise_report(), {.width = width})),
              static_cast<std::size_t>(width));
  }
}

TEST(Terminal, ColoursOnlyWhenAsked) {
  EXPECT_THAT(shown(noise_report()), Not(HasSubstr("\x1b")));
  EXPECT_THAT(shown(noise_report(), {.color = true}), StartsWith("\x1b[1;31mdifferent: \x1b[0m"));
}

TEST(Terminal, EscapesWhateverComesFromAFile) {
  const std::string evil = "a\x1b]0;owned\a\nverdict: same\u202e";
  Report report;
  report.command = "inspect";
  report.verdict = Verdict::risk;
  Checkpoint checkpoint = sample_checkpoint(CheckpointKind::whole_module, {evil});
  checkpoint.description = checkpoint.model_type = checkpoint.config_from = evil;
  checkpoint.config = {{"hidden_act", evil}};
  checkpoint.producer = {{evil, evil}};
  checkpoint.modules.push_back({.path = evil, .class_path = evil, .training = true});
  checkpoint.calls.push_back({.global = evil, .count = 1, .how = evil});
  checkpoint.oddities.push_back({.kind = Oddity::Kind::other, .summary = evil});
  checkpoint.training.optimizer = evil;
  checkpoint.candidates.push_back({.key = evil});
  report.subjects = {sample_subject("A", evil, checkpoint)};
  Finding finding = sample_finding("file.calls", Role::risk, Proof::observed, evil);
  finding.details = {evil};
  finding.remedy = finding.settle = evil;
  report.findings = {finding};
  report.assumed = report.not_checked = {evil};
  for (const bool all : {false, true}) {
    const std::string text = shown(report, {.all = all});
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\a")));
    EXPECT_THAT(text, Not(HasSubstr("\nverdict")));
    EXPECT_THAT(text, Not(HasSubstr("\u202e")));
  }
}

TEST(Terminal, ShowsChangedTensorsAndTheRulesOfARenaming) {
  const std::string name = "vit.encoder.layer.0.attention.attention.query.weight";
  Report report;
  report.command = "diff";
  report.verdict = Verdict::different;
  report.subjects = {
      sample_subject("A", "a.pth", sample_checkpoint(CheckpointKind::state_dict, {name, "x"})),
      sample_subject("B", "b.pth", sample_checkpoint(CheckpointKind::state_dict, {name, "y"}))};
  WeightPair pair = sample_pair("A", "B", WeightsVerdict::different, 2);
  pair.comparison.changed = 1;
  pair.comparison.only_b = {"blocks.0.w", "blocks.1.w"};
  pair.comparison.rules = {{"layers.{n}.", "encoder.layer.{n}.", 192}, {"a.", "b.", 2}};
  TensorStats stats;
  stats.max_abs = 4e-7;
  stats.relative_norm = 1.2e-9;
  stats.max_ulp = 1;
  stats.rows = 768;
  stats.rows_differing = 1;
  stats.pattern = "one element";
  pair.comparison.matches = {{{0}, {0}, MatchKind::changed, "", stats}};
  report.weights = {pair};
  report.findings = {sample_finding("weights.changed", Role::cause, Proof::observed,
                                    "one element of one tensor differs")};
  EXPECT_EQ(shown(report),
            R"(different: one element of one tensor differs                            observed

  A  a.pth  state dict  2 tensors
  B  b.pth  state dict  2 tensors

  weights   A != B   1 of 2 tensors differ   2 only in B
            (B is renamed by 2 rules)
            in A             in B                tensors
            layers.{n}.  ->  encoder.layer.{n}.      192
            a.           ->  b.                        2
            only in B
            blocks.{n}.w  2  n = 0-1

  changed                                   relative  max abs  ULP  pattern
  vit...0.attention.attention.query.weight   1.2e-09    4e-07    1  one element

  observed  seen in the files; nothing was run
)");
}

TEST(Terminal, LeavesOutWhatIsTooMuch) {
  std::vector<std::string> names;
  WeightPair pair = sample_pair("A", "B", WeightsVerdict::different, 12);
  for (std::uint32_t i = 0; i < 12; ++i) {
    names.push_back("t" + std::to_string(i));
    pair.comparison.matches.push_back({{i}, {i}, MatchKind::changed, "", TensorStats{}});
    pair.comparison.rules.push_back({names[i], "u" + std::to_string(i), 1});
  }
  Report report;
  report.command = "diff";
  report.verdict = Verdict::different;
  report.subjects = {
      sample_subject("A", "a", sample_checkpoint(CheckpointKind::state_dict, names)),
      sample_subject("B", "b", sample_checkpoint(CheckpointKind::state_dict, names))};
  report.weights = {pair};
  const std::string text = shown(report);
  EXPECT_THAT(text, HasSubstr("and 2 more: --all lists them"));  // of 12 changed tensors
  EXPECT_THAT(text, HasSubstr("and 3 more: --all lists them"));  // of 12 rules
  EXPECT_THAT(text, HasSubstr("\n  t9 "));
  EXPECT_THAT(text, Not(HasSubstr("\n  t10 ")));
}

TEST(Terminal, ShowsFieldsWithWhatTheyCanDo) {
  Report report;
  report.command = "diff";
  report.verdict = Verdict::different;
  report.subjects = {
      sample_subject("A", "a", sample_checkpoint(CheckpointKind::hf_directory, {"x"})),
      sample_subject("B", "b", sample_checkpoint(CheckpointKind::hf_directory, {"x"}))};
  FieldDifference ratio{.field = "mask_ratio",
                        .a = 0.75,
                        .b = 0.5,
                        .effect = FieldEffect::outputs,
                        .why = "the number of visible tokens changes"};
  FieldDifference name{.field = "_name_or_path", .missing_a = true, .effect = FieldEffect::nothing};
  report.config = {{"A", "B", {ratio, name}}};
  EXPECT_EQ(shown(report),
            R"(different: the differences are listed below

  A  a  Hugging Face directory  1 tensor
  B  b  Hugging Face directory  1 tensor

  config      A     B    what it can do
  mask_ratio  0.75  0.5  moves outputs: the number of visible tokens changes
  config    A and B differ in 1 field without effect
)");
}

TEST(Terminal, SaysWhatCouldNotBeRead) {
  Report report;
  report.command = "diff";
  report.verdict = Verdict::unknown;
  report.subjects = {{.label = "A", .path = "a.pth"}, {.label = "B", .path = "b.pth"}};
  report.subjects[1].checkpoint = sample_checkpoint(CheckpointKind::state_dict, {"x"});
  report.not_checked = {
      "a.pth: byte 1234: the record data/3 is truncated (expected 64 bytes, found 12)"};
  EXPECT_EQ(shown(report), R"(unknown: a.pth could not be read

  A  a.pth  could not be read
  B  b.pth  state dict         1 tensor

  unchecked a.pth: byte 1234: the record data/3 is truncated (expected 64 bytes,
            found 12)
)");
}

TEST(Terminal, AnswersWithASuspectedCauseAndSaysSo) {
  Report report = noise_report();
  report.verdict = Verdict::unknown;
  change_first_finding(&report, [](Finding& finding) {
    finding.proof = Proof::suspected;
    finding.settle = "a run with one noise for all";
  });
  report.not_checked = {"no forward pass was run"};
  const std::string text = shown(report);
  EXPECT_THAT(text, StartsWith("unknown: every forward pass draws a new random mask"));
  EXPECT_THAT(text, HasSubstr(" suspected\n"));
  EXPECT_THAT(text, HasSubstr("\n\n  unchecked no forward pass was run\n\n  weights "));
  EXPECT_THAT(text, HasSubstr("\n  to settle a run with one noise for all\n"));
}

TEST(Terminal, GroupsWhatALoaderWouldLeaveRandom) {
  Report report;
  report.command = "check";
  report.verdict = Verdict::risk;
  report.subjects = {
      sample_subject("A", "a.pth", sample_checkpoint(CheckpointKind::state_dict, {"x"}))};
  report.loads = {{.target = "transformers-4:ViTModel",
                   .way = "from_pretrained",
                   .target_tensors = 3,
                   .loaded = 1,
                   .random = {"layer.0.w", "layer.1.w"},
                   .dropped = {"head.weight"},
                   .repair = {{"blocks.{n}.", "layer.{n}.", 2}}},
                  {.target = "transformers-4:ViTModel",
                   .way = "load_state_dict(strict=False)",
                   .target_tensors = 3,
                   .loaded = 3,
                   .silent = true}};
  report.findings = {sample_finding("weights.reinitialized", Role::risk, Proof::observed,
                                    "2 of 3 tensors would stay random")};
  EXPECT_EQ(shown(report),
            R"(risk: 2 of 3 tensors would stay random                                  observed

  A  a.pth  state dict  1 tensor

  loading   into transformers-4:ViTModel   by from_pretrained
            1 of 3 tensors loaded, with a warning
  random    2 tensors, left at initial values:
            layer.{n}.w  2  n = 0-1
  dropped   1 tensor of the checkpoint, not used:
            head.weight
  repair    rename in the checkpoint before loading:
            blocks.{n}.  ->  layer.{n}.  2
  otherwise by load_state_dict(strict=False)   3 of 3 tensors loaded
)");
}

TEST(TerminalDeathTest, UnknownCauseEndsTheProgram) {
  Report report = noise_report();
  change_first_finding(&report, [](Finding& finding) { finding.cause = "rng.noize"; });
  EXPECT_DEATH(shown(report), "internal error");
}

}  // namespace
}  // namespace samebits
