#include "samebits/explain/judged.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace samebits {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

PairRuns exchanged_weights() {
  return {.a = "A",
          .b = "B",
          .explained = true,
          .parts = {"layer.0.q"},
          .tensors_a = {"q.weight"},
          .tensors_b = {"query.weight"},
          .differing_parts = 3,
          .parting = "block 0",
          .parting_text = "the two first differ at block 0"};
}

Report report_of(PairRuns pair) {
  Report report;
  for (const char* label : {"A", "B"}) {
    Subject subject;
    subject.label = label;
    subject.path = std::string(label) + ".pth";
    subject.checkpoint = Checkpoint();
    report.subjects.push_back(std::move(subject));
  }
  report.ran = RunFacts{.subjects = 2, .pairs = {std::move(pair)}};
  return report;
}

Finding about_pair(const char* cause, Role role, Json evidence = Json::object()) {
  Finding finding{.cause = cause, .role = role, .subjects = {"A", "B"}};
  finding.evidence = std::move(evidence);
  return finding;
}

TEST(Judged, WhatWasNeededIsProved) {
  const Report report = report_of(exchanged_weights());
  const Finding found = judged(
      about_pair("weights.changed", Role::cause, {{"count", 3}, {"tensors", {"q.weight", "k"}}}),
      report);
  EXPECT_EQ(found.role, Role::cause);
  EXPECT_EQ(found.proof, Proof::proved);
  EXPECT_EQ(found.evidence["minimal"], Json({"query.weight"}));
  EXPECT_EQ(found.evidence["parting"], "block 0");
  EXPECT_THAT(found.details, Contains(HasSubstr("gives A's outputs, bit for bit: query.weight")));
}

TEST(Judged, WhatWasNotNeededContributes) {
  const Report report = report_of(exchanged_weights());
  const Finding others =
      judged(about_pair("weights.rounded", Role::cause, {{"tensors", {"v.weight"}}}), report);
  EXPECT_EQ(others.role, Role::contributes);
  EXPECT_EQ(others.proof, Proof::observed);
  const Finding config =
      judged(about_pair("config.changed", Role::cause, {{"fields", {{"eps", {1, 2}}}}}), report);
  EXPECT_EQ(config.role, Role::contributes);
}

TEST(Judged, ARiskOfConfigIsRaisedByItsOwnExchangeOnly) {
  PairRuns pair = exchanged_weights();
  const Json fields = {{"fields", {{"eps", {1, 2}}}}};
  EXPECT_EQ(judged(about_pair("config.changed", Role::risk, fields), report_of(pair)).role,
            Role::risk);
  pair.config = {"eps"};
  EXPECT_EQ(judged(about_pair("config.changed", Role::risk, fields), report_of(pair)).role,
            Role::cause);
  pair.config = {"hidden_act"};
  EXPECT_EQ(judged(about_pair("config.changed", Role::risk, fields), report_of(pair)).role,
            Role::contributes);
}

TEST(Judged, NotesAndOtherPairsStayAsTheyAre) {
  const Report report = report_of(exchanged_weights());
  EXPECT_EQ(judged(about_pair("weights.renamed", Role::note), report).role, Role::note);
  Finding other = about_pair("weights.changed", Role::cause, {{"tensors", {"v.weight"}}});
  other.subjects = {"A", "C"};
  EXPECT_EQ(judged(other, report).role, Role::cause);
}

TEST(Judged, EqualOutputsAreSaidOfWeightsAndProveNothing) {
  PairRuns pair = exchanged_weights();
  pair.equal = true;
  const Finding found = judged(about_pair("weights.changed", Role::cause), report_of(pair));
  EXPECT_EQ(found.role, Role::cause);
  EXPECT_EQ(found.proof, Proof::observed);
  EXPECT_THAT(found.details, Contains(HasSubstr("bit-identical all the same")));
}

TEST(Judged, AnUnexplainedPairLeavesFindingsAlone) {
  PairRuns pair = exchanged_weights();
  pair.explained = false;
  const Finding found = judged(about_pair("config.changed", Role::cause), report_of(pair));
  EXPECT_EQ(found.role, Role::cause);
  EXPECT_EQ(found.proof, Proof::observed);
}

TEST(Judged, NoiseIsProvedWhereARunDiffersFromItself) {
  Report report = report_of(exchanged_weights());
  Finding noise{.cause = "rng.noise",
                .role = Role::cause,
                .proof = Proof::suspected,
                .subjects = {"A", "B"},
                .details = {"what draws", "what that means"},
                .settle = "run it twice"};
  EXPECT_EQ(judged(noise, report).proof, Proof::suspected);
  report.ran->noise_twice = OutputPair{.a = "A", .b = "A", .elements = 9, .differing = 4};
  const Finding found = judged(noise, report);
  EXPECT_EQ(found.proof, Proof::proved);
  EXPECT_EQ(found.settle, "");
  EXPECT_EQ(found.details.front(), "what draws");
  EXPECT_EQ(found.details.back(), "what that means");
  EXPECT_EQ(found.evidence["equal_with_one_noise"], false);
}

TEST(Judged, DropoutThatActsIsProvedOfItsSubject) {
  Report report = report_of(exchanged_weights());
  report.ran->dropout_twice = {{.a = "B", .b = "B", .elements = 9, .differing = 4}};
  Finding mode{.cause = "mode.training", .role = Role::risk, .subjects = {"B"}};
  EXPECT_EQ(judged(mode, report).role, Role::cause);
  EXPECT_EQ(judged(mode, report).proof, Proof::proved);
  mode.subjects = {"C"};
  EXPECT_EQ(judged(mode, report).role, Role::risk);
}

TEST(Judged, OtherImagesMakePreprocessingTheCause) {
  Report report = report_of(exchanged_weights());
  const Finding finding = about_pair("input.preprocessing", Role::risk);
  EXPECT_EQ(judged(finding, report).role, Role::risk);
  report.ran->other_images = {{"A", "B", "3 of 9 numbers differ"}};
  EXPECT_EQ(judged(finding, report).role, Role::cause);
  const Finding of_texts = about_pair("input.preprocessing", Role::risk, {{"moved", 3}});
  EXPECT_EQ(judged(of_texts, report).role, Role::risk);
}

TEST(FindByRuns, NamesACauseThatNoFileShows) {
  Report report = report_of(exchanged_weights());
  find_by_runs(report);
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_EQ(report.findings[0].cause, "weights.changed");
  EXPECT_EQ(report.findings[0].proof, Proof::proved);
  EXPECT_EQ(report.findings[0].evidence["tensors"], Json({"query.weight"}));
}

TEST(FindByRuns, AddsNothingToACauseThatIsNamed) {
  Report report = report_of(exchanged_weights());
  add_finding(report, about_pair("weights.changed", Role::cause, {{"tensors", {"q.weight"}}}));
  find_by_runs(report);
  EXPECT_THAT(report.findings, SizeIs(1));
}

TEST(Verdicts, FollowFromFindingsAndGaps) {
  Report report;
  EXPECT_EQ(verdict_of_comparison(report), Verdict::same);
  add_gap(report, "beside the weights", Gap::aside);
  EXPECT_EQ(verdict_of_comparison(report), Verdict::same);
  EXPECT_EQ(verdict_of_checkpoint(report), Verdict::clean);
  add_finding(report, {.cause = "weights.tied", .role = Role::risk});
  EXPECT_EQ(verdict_of_comparison(report), Verdict::same);
  EXPECT_EQ(verdict_of_checkpoint(report), Verdict::risk);
  add_gap(report, "an attribute", Gap::open);
  EXPECT_EQ(verdict_of_comparison(report), Verdict::unknown);
  add_finding(report, {.cause = "weights.changed", .role = Role::contributes});
  EXPECT_EQ(verdict_of_comparison(report), Verdict::different);
  add_gap(report, "a tensor", Gap::blocking);
  add_gap(report, "another attribute", Gap::open);
  EXPECT_EQ(verdict_of_comparison(report), Verdict::unknown);
  EXPECT_EQ(verdict_of_checkpoint(report), Verdict::unknown);
}

}  // namespace
}  // namespace samebits
