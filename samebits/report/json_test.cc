#include "samebits/report/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "samebits/report/sample_report.h"

namespace samebits {
namespace {

using testing::HasSubstr;

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;
}

Report diff_report() {
  Report report;
  report.command = "diff";
  report.verdict = Verdict::different;
  report.subjects = {
      sample_subject("A", "a", sample_checkpoint(CheckpointKind::state_dict, {"q", "k", "same"})),
      sample_subject("B", "b", sample_checkpoint(CheckpointKind::state_dict, {"qk", "same"}))};
  WeightPair pair = sample_pair("A", "B", WeightsVerdict::different, 3);
  TensorStats stats;
  stats.max_abs = std::numeric_limits<double>::infinity();
  pair.comparison.matches = {{{0, 1}, {0}, MatchKind::changed, "fused", stats},
                             {{2}, {1}, MatchKind::same, "", {}}};
  pair.comparison.rules = {{"", "model.", 3}};
  report.weights = {pair};
  Finding finding =
      sample_finding("weights.changed", Role::cause, Proof::observed, "the weights differ");
  finding.subjects = {"A", "B"};
  finding.evidence = {{"count", 1}, {"tensors", {"q"}}};
  report.findings = {finding};
  report.not_checked = {"something"};
  return report;
}

TEST(ReportJson, HasEveryKeyInTheOrderOfTheDocumentation) {
  const Json json = render_json(diff_report());
  EXPECT_THAT(
      keys(json),
      testing::ElementsAre("schema", "tool", "command", "verdict", "diagnosis", "filter",
                           "tolerance", "subjects", "weights", "config", "preprocessing", "outputs",
                           "runs", "divergence", "loads", "findings", "assumed", "not_checked"));
  EXPECT_EQ(json["schema"], "samebits.report/1");
  EXPECT_EQ(json["tool"]["version"], tool_version());
  EXPECT_EQ(json["verdict"], "different");
}

TEST(ReportJson, ListsEveryMatchThatIsNotPlainlyTheSame) {
  const Json weights = render_json(diff_report())["weights"][0];
  EXPECT_EQ(weights["verdict"], "different");
  EXPECT_EQ(weights["rules"], Json::parse(R"([{"from": "", "to": "model.", "count": 3}])"));
  ASSERT_EQ(weights["tensors"].size(), 1u);
  EXPECT_EQ(weights["tensors"][0]["a"], Json::parse(R"(["q", "k"])"));
  EXPECT_EQ(weights["tensors"][0]["b"], "qk");
  EXPECT_EQ(weights["tensors"][0]["how"], "fused");
}

TEST(ReportJson, SpellsInfinitiesAndNanAsStrings) {
  Report report = diff_report();
  report.subjects[0].checkpoint->config = {{"eps", std::numeric_limits<double>::quiet_NaN()}};
  const Json json = render_json(report);
  EXPECT_EQ(json["weights"][0]["tensors"][0]["stats"]["max_abs"], "Infinity");
  EXPECT_EQ(json["subjects"][0]["config"]["eps"], "NaN");
}

TEST(ReportJson, GivesFindingsWithTheirEvidence) {
  EXPECT_EQ(render_json(diff_report())["findings"][0], Json::parse(R"({
    "cause": "weights.changed", "role": "cause", "proof": "observed", "subjects": ["A", "B"],
    "summary": "the weights differ", "details": [], "evidence": {"count": 1, "tensors": ["q"]},
    "remedy": "", "settle": ""})"));
}

TEST(ReportJson, SaysNullForWhatASubjectDoesNotCarry) {
  const Json subject = render_json(diff_report())["subjects"][0];
  for (const char* key : {"config", "mode", "producer", "model_type"}) {
    ASSERT_TRUE(subject.contains(key)) << key;
    EXPECT_TRUE(subject[key].is_null()) << key;
  }
  EXPECT_EQ(subject["kind"], "state-dict");
  EXPECT_EQ(subject["tensors"], 3);
  EXPECT_EQ(subject["parameters"], 6);
  EXPECT_EQ(subject["weights_from"], "");
}

TEST(ReportJson, GivesASubjectThatCouldNotBeReadTheSameKeys) {
  Report report = diff_report();
  const std::vector<std::string> expected = keys(render_json(report)["subjects"][0]);
  report.subjects[0].checkpoint.reset();
  report.weights.clear();
  const Json subject = render_json(report)["subjects"][0];
  EXPECT_THAT(keys(subject), testing::UnorderedElementsAreArray(expected));
  EXPECT_TRUE(subject["kind"].is_null());
}

TEST(ReportJson, OfInspectListsEntriesCallsAndBytes) {
  Report report = diff_report();
  report.command = "inspect";
  report.weights.clear();
  Checkpoint& checkpoint = *report.subjects[0].checkpoint;
  checkpoint.entries[0].path = "state_dict.q";
  checkpoint.calls = {{.global = "collections.OrderedDict",
                       .count = 2,
                       .plain = true,
                       .how = "REDUCE",
                       .offset = 7}};
  checkpoint.bytes = {{0, 0, 10, ByteUse::weights}, {0, 10, 14, ByteUse::unreferenced}};
  const Json subject = render_json(report)["subjects"][0];
  EXPECT_EQ(subject["entries"][0], Json::parse(R"({
    "name": "state_dict.q", "state_dict_name": "q", "role": "weight", "dtype": "float32",
    "shape": [2], "nbytes": 8, "file": "model.pth", "offset": 64, "note": null})"));
  EXPECT_EQ(subject["calls"][0]["global"], "collections.OrderedDict");
  EXPECT_EQ(subject["calls"][0]["plain"], true);
  EXPECT_TRUE(subject["training"]["optimizer"].is_null());
  EXPECT_EQ(subject["bytes"][0]["uses"]["weights"], 10);
  EXPECT_EQ(subject["bytes"][0]["unreferenced_ranges"], Json::parse("[[10, 14]]"));
}

TEST(ReportJson, GivesDigestsWhereTheyWereComputed) {
  Report report = diff_report();
  report.command = "inspect";
  report.weights.clear();
  report.subjects[0].digests = {"e3b0", "", "ba78"};
  const Json entries = render_json(report)["subjects"][0]["entries"];
  EXPECT_EQ(entries[0]["sha256"], "e3b0");
  EXPECT_TRUE(entries[1]["sha256"].is_null());
}

TEST(ReportJson, ReplacesBytesThatAreNoUtf8) {
  Report report = diff_report();
  report.subjects[0].path = "a\xff";
  EXPECT_THAT(json_text(report), HasSubstr("\"a\xef\xbf\xbd\""));
}

TEST(ReportJsonDeathTest, UnknownCauseEndsTheProgram) {
  Report report = diff_report();
  change_first_finding(&report, [](Finding& finding) { finding.cause = "nothing"; });
  EXPECT_DEATH(render_json(report), "internal error");
}

}  // namespace
}  // namespace samebits
