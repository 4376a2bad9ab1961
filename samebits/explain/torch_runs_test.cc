#include "samebits/explain/torch_runs.h"

#include <gmock/gmock.h>

#include <utility>

#include "samebits/base/json.h"
#include "samebits/explain/explain.h"
#include "samebits/explain/test_tensors.h"

namespace samebits {
namespace {

using test_tensors::model;
using test_tensors::moved;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A document as PyTorch's side writes it, with one output of two numbers.
class Document {
 public:
  Json json = {{"assumed", {"input: ones"}},
               {"not_checked", Json::array()},
               {"runs", Json::array({{{"run", "A twice"}, {"outcome", "the same bits"}}})},
               {"findings", Json::array()},
               {"pairs", Json::array({{{"b", "B"},
                                       {"equal", true},
                                       {"explained", false},
                                       {"is_minimal", false},
                                       {"fields", Json::array()},
                                       {"mode", false},
                                       {"tensors", Json::array()},
                                       {"differing_tensors", 0},
                                       {"point", ""},
                                       {"parting", ""},
                                       {"other_images", nullptr}}})}};
  std::vector<float> a = {1, 2}, b = {1, 2};

  Json& pair() { return json["pairs"][0]; }

  void explains(const std::string& tensor) {
    b = {1, 3};
    pair()["equal"] = false;
    pair()["explained"] = pair()["is_minimal"] = true;
    pair()["differing_tensors"] = 1;
    pair()["tensors"] = Json::array({{{"name", tensor}, {"a", ""}, {"b", ""}}});
    pair()["point"] = "fc";
    pair()["parting"] = "the two first differ at fc (Linear): 1 of 2 elements";
  }

  /// The outputs of a run of B on its own images, of which one element differs.
  void prepares_otherwise() {
    b = {1, 3};
    pair()["other_images"] = {
        {"how", "3 of 9 numbers differ, up to 0.1"},
        {"equal_on_one_input", true},
        {"outputs", {{"path", "logits"}, {"elements", 2}, {"differing", 1}, {"max_abs", 1.0}}}};
  }

  TorchRuns runs() const { return runs_of(json.dump()); }

  TorchRuns runs_of(const std::string& text,
                    const std::string& key = "samebits.torch_runs/2") const {
    const Json header = {{"__metadata__", {{key, text}}},
                         {"A:logits", tensor(0, a)},
                         {"B:logits", tensor(a.size(), b)}};
    const std::string head = header.dump();
    std::vector<std::uint8_t> bytes;
    for (int shift = 0; shift < 64; shift += 8)
      bytes.push_back(static_cast<std::uint8_t>(std::uint64_t{head.size()} >> shift));
    bytes.insert(bytes.end(), head.begin(), head.end());
    for (const std::vector<float>* values : {&a, &b}) {
      const auto* first = reinterpret_cast<const std::uint8_t*>(values->data());
      bytes.insert(bytes.end(), first, first + values->size() * sizeof(float));
    }
    return [bytes] { return Result<std::vector<std::uint8_t>>(bytes); };
  }

 private:
  static Json tensor(std::size_t first, const std::vector<float>& values) {
    return {{"dtype", "F32"},
            {"shape", {values.size()}},
            {"data_offsets", {4 * first, 4 * (first + values.size())}}};
  }
};

class RunsOfTorch : public ::testing::Test {
 protected:
  Report explained(const TorchRuns& torch, const test_tensors::Model& b = model(2)) {
    folder_.write("a.safetensors", test_tensors::safetensors_file(model(2)));
    folder_.write("b.safetensors", test_tensors::safetensors_file(b));
    return explain({{folder_.path("a.safetensors"), ""}, {folder_.path("b.safetensors"), ""}},
                   {.torch = torch});
  }

  test_files::Folder folder_;
};

TEST_F(RunsOfTorch, EqualOutputsOfEqualFilesAreTheSame) {
  const Report report = explained(Document().runs());
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_THAT(report.assumed, ElementsAre("input: ones"));
  ASSERT_EQ(report.outputs.size(), 1u);
  EXPECT_EQ(report.outputs[0].verdict, "identical");
  EXPECT_EQ(report.outputs[0].point, "logits");
}

TEST_F(RunsOfTorch, AnExchangeThatGivesTheBitsProvesWhatTheFilesShow) {
  for (const char* live : {"classifier.weight", "wrapped.classifier.weight"}) {
    Document document;
    document.explains(live);
    const Report report = explained(document.runs(), moved(model(2), "classifier.weight", 0.1f));
    EXPECT_EQ(report.verdict, Verdict::different);
    ASSERT_FALSE(report.findings.empty());
    EXPECT_EQ(report.findings[0].cause, "weights.changed");
    EXPECT_EQ(report.findings[0].proof, Proof::proved);
    EXPECT_EQ(report.findings[0].evidence["minimal"], Json::array({"classifier.weight"}));
    EXPECT_EQ(report.outputs[0].differing, 1u);
  }
}

TEST_F(RunsOfTorch, WhatWasNotNeededContributes) {
  Document document;
  document.explains("vit.layernorm.weight");
  const Report report = explained(document.runs(), moved(model(2), "classifier.weight", 0.1f));
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].evidence["minimal"], Json::array({"vit.layernorm.weight"}));
  EXPECT_EQ(report.findings[1].role, Role::contributes);
}

TEST_F(RunsOfTorch, AFindingThatFilesDoNotShowEntersAsItIs) {
  Document document;
  document.pair()["equal"] = nullptr;
  document.json["findings"] = Json::array({{{"cause", "rng.noise"},
                                            {"role", "cause"},
                                            {"proof", "proved"},
                                            {"subjects", {"A", "B"}},
                                            {"summary", "it draws"},
                                            {"details", Json::array()},
                                            {"evidence", Json::object()},
                                            {"remedy", "seed"}}});
  const Report report = explained(document.runs());
  EXPECT_EQ(report.verdict, Verdict::different);
  EXPECT_EQ(report.diagnosis, "it draws");
}

TEST_F(RunsOfTorch, ImagesThatAreAnotherInputAreACauseThoughNoFileSaysSo) {
  Document document;
  document.prepares_otherwise();
  const Report report = explained(document.runs());
  EXPECT_EQ(report.verdict, Verdict::different);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].cause, "input.preprocessing");
  EXPECT_EQ(report.findings[0].proof, Proof::proved);
  EXPECT_THAT(report.findings[0].details,
              ::testing::Contains(HasSubstr("on B's own 1 of 2 elements differ at logits")));
}

TEST_F(RunsOfTorch, WhatWasNotRunLeavesTheVerdictOpen) {
  Document document;
  document.json["pairs"] = Json::array();
  document.json["not_checked"] = {"outputs: A was not run: no memory"};
  const Report report = explained(document.runs());
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_THAT(report.not_checked, ElementsAre("outputs: A was not run: no memory"));
  EXPECT_TRUE(report.outputs.empty());
}

TEST_F(RunsOfTorch, AnAnswerThatIsNoneLeavesTheVerdictOpen) {
  const Document document;
  Document unlike;
  unlike.b = {1, 2, 3};
  Document unknown_cause;
  unknown_cause.json["findings"] = Json::array({{{"cause", "rng.unheard"},
                                                 {"role", "cause"},
                                                 {"proof", "proved"},
                                                 {"subjects", {"A"}},
                                                 {"summary", ""},
                                                 {"details", Json::array()},
                                                 {"evidence", Json::object()},
                                                 {"remedy", ""}}});
  Document without;
  without.json.erase("findings");
  Document of_nobody, of_itself, about_nobody;
  of_nobody.pair()["b"] = "C";
  of_itself.pair()["b"] = "A";
  about_nobody.json["findings"] = Json::array({{{"cause", "rng.noise"},
                                                {"role", "cause"},
                                                {"proof", "proved"},
                                                {"subjects", {"Z"}},
                                                {"summary", ""},
                                                {"details", Json::array()},
                                                {"evidence", Json::object()},
                                                {"remedy", ""}}});
  Document of_other_type;
  of_other_type.json["runs"] = 3;
  const std::vector<TorchRuns> answers = {
      document.runs_of("{"),
      document.runs_of("[]"),
      document.runs_of("{}", "samebits.torch_runs/1"),
      unlike.runs(),
      unknown_cause.runs(),
      without.runs(),
      of_other_type.runs(),
      of_nobody.runs(),
      of_itself.runs(),
      about_nobody.runs(),
      [] { return Result<std::vector<std::uint8_t>>(std::vector<std::uint8_t>{1, 2, 3}); },
      [] { return Result<std::vector<std::uint8_t>>(fail({.code = ErrorCode::io, .what = "x"})); }};
  for (const TorchRuns& answer : answers) {
    const Report report = explained(answer);
    EXPECT_EQ(report.verdict, Verdict::unknown);
    EXPECT_FALSE(report.not_checked.empty());
  }
}

TEST_F(RunsOfTorch, AreOfferedForDirectoriesOfTransformersAndWeightsThatFitThem) {
  const auto gap_of = [&](const std::string& a, const std::string& b) {
    const Report report = explain({{folder_.path(a), ""}, {folder_.path(b), ""}}, {});
    EXPECT_EQ(report.verdict, Verdict::unknown);
    return report.not_checked.at(0);
  };
  for (const char* name : {"one", "two"}) {
    folder_.write(std::string(name) + "/config.json", R"({"model_type": "bert"})");
    folder_.write(std::string(name) + "/model.safetensors",
                  test_tensors::safetensors_file(model(1)));
  }
  EXPECT_THAT(gap_of("one", "two"), HasSubstr("samebits explain --with torch"));
  folder_.write("bare.safetensors", test_tensors::safetensors_file(model(1)));
  EXPECT_THAT(gap_of("bare.safetensors", "two"), HasSubstr("samebits explain --with torch"));
  EXPECT_THAT(gap_of("bare.safetensors", "bare.safetensors"),
              ::testing::Not(HasSubstr("--with torch")));
}

}  // namespace
}  // namespace samebits
