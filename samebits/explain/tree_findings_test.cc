#include "samebits/explain/tree_findings.h"

#include "samebits/explain/module_findings.h"

#include <gmock/gmock.h>

#include "samebits/explain/script_findings.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ModuleRecord tree_part(std::string path, std::string class_path, Json attributes = Json::object()) {
  ModuleRecord record;
  record.path = std::move(path);
  record.class_path = std::move(class_path);
  record.attributes = std::move(attributes);
  return record;
}

constexpr const char* kNormClass = "torch.nn.modules.normalization.LayerNorm";

/// What is found between two trees.
Report compared_trees(std::vector<ModuleRecord> a, std::vector<ModuleRecord> b) {
  Report report;
  for (auto* modules : {&a, &b}) {
    Subject subject;
    subject.label = report.subjects.empty() ? "A" : "B";
    subject.checkpoint.emplace();
    subject.checkpoint->modules = std::move(*modules);
    report.subjects.push_back(std::move(subject));
  }
  find_tree_changes(report, report.subjects[0], report.subjects[1]);
  return report;
}

Report compared_attributes(const char* type, Json a, Json b) {
  return compared_trees({tree_part("", "train.Net"), tree_part("x", type, std::move(a))},
                        {tree_part("", "train.Net"), tree_part("x", type, std::move(b))});
}

TEST(TreeFindings, ANumberThatMovesOutputsIsACause) {
  const Report report = compared_attributes(kNormClass, {{"eps", 0.1}}, {{"eps", 0.2}});
  ASSERT_THAT(report.findings, SizeIs(1));
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.cause, "config.changed");
  EXPECT_EQ(finding.role, Role::cause);
  EXPECT_EQ(finding.summary, "x.eps differs between the modules, and outputs depend on it");
  EXPECT_EQ(finding.evidence, Json::parse(R"({"fields": {"x.eps": [0.1, 0.2]}})"));
  EXPECT_EQ(report.gap, Gap::aside);
}

TEST(TreeFindings, AClassOfTheLibraryAroundAModelIsNoEvidenceAgainstItsWeights) {
  const auto found = [](const std::string& type) {
    Report report;
    for (const char* label : {"A", "B"}) {
      Subject subject;
      subject.label = label;
      subject.checkpoint.emplace();
      report.subjects.push_back(std::move(subject));
    }
    Checkpoint& whole = *report.subjects[1].checkpoint;
    whole.modules = {tree_part("", type),
                     tree_part("encoder", "transformers.models.vit.modeling_vit.ViTModel")};
    whole.config = {{"model_type", "vit"}};
    whole.entries.resize(1);
    whole.entries[0].name = "decoder.w";
    whole.candidates.resize(1);
    whole.candidates[0].weights = {0};
    find_module_changes(report, report.subjects[0], report.subjects[1]);
    return report.findings.size();
  };
  EXPECT_EQ(found("my.net.Pair"), 1U);
  EXPECT_EQ(found("transformers.models.pair.modeling_pair.Pair"), 0U);
}

TEST(TreeFindings, AnotherClassIsCode) {
  const Report report = compared_trees({tree_part("", "torch.nn.modules.activation.ReLU")},
                                       {tree_part("", "torch.nn.modules.activation.Tanh")});
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_EQ(report.findings[0].cause, "code.version");
  EXPECT_THAT(report.findings[0].details, ElementsAre(HasSubstr("the root: ")));
}

/// Of two scripted archives with these units.
Report compared_code(const ScriptUnit& a, const ScriptUnit& b) {
  Report report;
  for (const ScriptUnit* unit : {&a, &b}) {
    Subject subject;
    subject.label = report.subjects.empty() ? "A" : "B";
    subject.checkpoint.emplace();
    subject.checkpoint->program.emplace();
    subject.checkpoint->program->way = "scripted";
    subject.checkpoint->program->units = {*unit};
    report.subjects.push_back(std::move(subject));
  }
  find_script_changes(report, report.subjects[0], report.subjects[1]);
  return report;
}

TEST(TreeFindings, AnotherLayerOfTorchIsAnotherModelOfOneVersionOrTwo) {
  const ScriptUnit relu{"torch.nn.modules.activation.ReLU#0", "x"};
  const ScriptUnit gelu{"torch.nn.modules.activation.GELU#0", "y"};
  const Report layers = compared_code(relu, gelu);
  ASSERT_THAT(layers.findings, SizeIs(1));
  EXPECT_EQ(layers.findings[0].role, Role::contributes);
  EXPECT_EQ(layers.gap, Gap::aside);
  const Report wording = compared_code(relu, {relu.name, "y"});
  ASSERT_THAT(wording.findings, SizeIs(1));
  EXPECT_EQ(wording.findings[0].role, Role::note);
  EXPECT_THAT(wording.findings[0].summary, HasSubstr("torch's own"));
  EXPECT_EQ(wording.gap, Gap::open);
}

TEST(TreeFindings, WhatCannotMatterIsANote) {
  const Report report =
      compared_attributes("train.Block", {{"run_name", "a"}}, {{"run_name", "b"}});
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_EQ(report.findings[0].role, Role::note);
  EXPECT_EQ(report.findings[0].proof, Proof::suspected);
  EXPECT_THAT(report.findings[0].details, ElementsAre(HasSubstr("by its name a run")));
  EXPECT_EQ(report.gap, Gap::aside);
  const Report known =
      compared_attributes("torch.nn.modules.dropout.Dropout", {{"p", 1}}, {{"p", 0}});
  ASSERT_THAT(known.findings, SizeIs(1));
  EXPECT_EQ(known.findings[0].proof, Proof::observed);
}

TEST(TreeFindings, WhatOnlyItsClassKnowsIsLeftOpen) {
  const Report report = compared_attributes("train.Block", {{"scale", 1}}, {{"scale", 2}});
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.gap, Gap::open);
  EXPECT_THAT(report.not_checked, ElementsAre(HasSubstr("x.scale (Block): 1 against 2")));
}

TEST(TreeFindings, WhatCannotBeComparedIsLeftOpen) {
  const Json opaque = {{"storage", {{"$opaque", "a storage"}}}};
  const Report report = compared_attributes("train.Block", opaque, opaque);
  EXPECT_EQ(report.gap, Gap::open);
  EXPECT_THAT(report.not_checked, ElementsAre(HasSubstr("could not be compared")));
}

TEST(TreeFindings, EqualTreesAreNothing) {
  const Report report = compared_attributes(kNormClass, {{"eps", 0.1}}, {{"eps", 0.1}});
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.gap, Gap::aside);
}

TEST(TreeFindings, OneLineStandsForAllModulesOfWhichItIsTrue) {
  std::vector<ModuleRecord> a{tree_part("", "train.Net")};
  std::vector<ModuleRecord> b = a;
  for (int i = 0; i < 20; ++i) {
    a.push_back(tree_part("norm" + std::to_string(i), kNormClass, {{"eps", 0.1}}));
    b.push_back(tree_part("norm" + std::to_string(i), kNormClass, {{"eps", 0.2}}));
  }
  const Report report = compared_trees(a, b);
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_THAT(report.findings[0].summary, HasSubstr("eps of 20 modules differs"));
  EXPECT_THAT(report.findings[0].details, ElementsAre(HasSubstr("and 19 more")));
  EXPECT_THAT(report.findings[0].evidence["fields"], SizeIs(20));
}

constexpr const char* kBert = "transformers.models.bert.modeling_bert.BertModel";
constexpr const char* kAttention = "transformers.models.bert.modeling_bert.BertAttention";

TEST(TreeFindings, OneVersionOfALibraryIsKnownByWhatItsModelsKeep) {
  const auto model = [](const char* kept, const char* attention) {
    return std::vector{tree_part("", kBert, {{kept, 1}}), tree_part("x", attention)};
  };
  const char* other = "transformers.models.bert.modeling_bert.BertOtherAttention";
  EXPECT_THAT(compared_trees(model("_kept", kAttention), model("_kept", other)).findings,
              SizeIs(1));
  EXPECT_THAT(compared_trees(model("_kept", kAttention), model("_kept_by_5", other)).findings,
              IsEmpty());
}

TEST(TreeFindings, ParametersThatAreFrozenAreNoted) {
  Report report;
  const std::vector<float> one{1};
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(one.data()), 4);
  for (const bool trains : {true, false}) {
    Subject subject;
    subject.label = trains ? "A" : "B";
    Checkpoint& checkpoint = subject.checkpoint.emplace();
    checkpoint.modules = {tree_part("", "train.Net")};
    StoredTensor tensor;
    tensor.name = "w";
    tensor.role = TensorRole::parameter;
    tensor.requires_grad = trains;
    tensor.view = *TensorView::make(DType::float32, {1}, {1}, 0, bytes);
    checkpoint.entries.push_back(std::move(tensor));
    checkpoint.candidates.emplace_back().weights = {0};
    report.subjects.push_back(std::move(subject));
  }
  TensorMatch match;
  match.a = match.b = {0};
  report.weights.push_back({.a = "A", .b = "B", .comparison = {}});
  report.weights[0].comparison.matches.push_back(match);
  find_tree_changes(report, report.subjects[0], report.subjects[1]);
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_EQ(report.findings[0].summary,
            "1 parameter trains in one of the two and is frozen in the other");
  EXPECT_EQ(report.findings[0].evidence["fields"],
            Json::parse(R"({"w.requires_grad": [true, false]})"));
}

}  // namespace
}  // namespace samebits
