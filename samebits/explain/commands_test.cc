// The commands as values: verdict, findings with role and proof, and exit status.
#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/causes.h"
#include "samebits/explain/check.h"
#include "samebits/explain/diff.h"
#include "samebits/explain/explain.h"
#include "samebits/explain/inspect.h"

namespace samebits {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("a.safetensors", safetensors({{"x", {1, 2, 3}}, {"y", {4, 5}}}));
    folder_.write("changed.safetensors", safetensors({{"x", {1, 2, 3}}, {"y", {4, 6}}}));
  }

  std::string directory(const std::string& name, const std::string& config,
                        const std::string& processor = "") {
    folder_.write(name + "/config.json", config);
    if (!processor.empty()) folder_.write(name + "/preprocessor_config.json", processor);
    folder_.write(name + "/model.safetensors", safetensors({{"x", {1, 2, 3}}}));
    return folder_.path(name);
  }

  std::string module_file(const std::string& name, const std::string& training,
                          const std::string& dropout) {
    const std::string child =
        object(global("torch.nn.modules.dropout", "Dropout"), dict({{"training", training},
                                                                    {"_parameters", dict({})},
                                                                    {"_modules", dict({})},
                                                                    {"p", dropout}}));
    return folder_.write(name,
                         torch_zip(object(global("my.net", "Net"),
                                          dict({{"training", kFalse},
                                                {"_parameters", dict({{"w", tensor("0", 2)}})},
                                                {"_modules", dict({{"drop", child}})}})),
                                   {{"0", floats({1, 2})}}));
  }

  Report diff_of(const std::string& a, const std::string& b) {
    Report report = diff({folder_.path(a), ""}, {folder_.path(b), ""}, 1);
    check_evidence(report);
    return report;
  }

  static void check_evidence(const Report& report) {
    for (const Finding& finding : report.findings)
      EXPECT_TRUE(has_evidence(finding)) << finding.cause;
  }

  static const Finding* find(const Report& report, const std::string& cause) {
    for (const Finding& finding : report.findings) {
      if (finding.cause == cause) return &finding;
    }
    return nullptr;
  }

  static std::string said(const Report& report) {
    std::string all;
    for (const std::string& line : report.not_checked) all += line + "\n";
    return all;
  }

  Folder folder_;
  const std::string tenth_ = "G?\xb9\x99\x99\x99\x99\x99\x9a";
  const std::string zero_ = "G" + std::string(8, '\0');
};

TEST_F(Commands, TheSameFileIsTheSame) {
  const Report report = diff_of("a.safetensors", "a.safetensors");
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(exit_status(report), 0);
}

TEST_F(Commands, AChangedWeightIsACauseThatIsObserved) {
  const Report report = diff_of("a.safetensors", "changed.safetensors");
  EXPECT_EQ(report.verdict, Verdict::different);
  EXPECT_EQ(exit_status(report), 1);
  const Finding* finding = find(report, "weights.changed");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->role, Role::cause);
  EXPECT_EQ(finding->proof, Proof::observed);
  EXPECT_EQ(finding->evidence["tensors"], Json::array({"y"}));
}

TEST_F(Commands, WhatIsMissingNamesItsHolder) {
  folder_.write("less.safetensors", safetensors({{"x", {1, 2, 3}}}));
  const Report report = diff_of("a.safetensors", "less.safetensors");
  const Finding* finding = find(report, "weights.missing");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->evidence["side"], "A");
  EXPECT_EQ(finding->summary, "1 weight stands only in A: y");
}

TEST_F(Commands, AnUnreadableSideIsUnknown) {
  const Report report = diff_of("a.safetensors", "nosuch");
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_EQ(exit_status(report), 2);
  EXPECT_THAT(report.not_checked, ElementsAre(HasSubstr("nosuch")));
}

TEST_F(Commands, AFileWithoutWeightsIsUnknown) {
  folder_.write("none.pkl", pickled(dict({{"epoch", number(1)}})));
  EXPECT_EQ(diff_of("a.safetensors", "none.pkl").verdict, Verdict::unknown);
}

TEST_F(Commands, TensorsWithoutAnElementAreNothingToCompare) {
  folder_.write("empty.safetensors", safetensors({{"x", {}}, {"y", {}}}));
  const Report report = diff_of("empty.safetensors", "empty.safetensors");
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_THAT(report.not_checked, Contains(HasSubstr("without a single element")));
  folder_.write("some.safetensors", safetensors({{"x", {}}, {"y", {1}}}));
  EXPECT_EQ(diff_of("some.safetensors", "some.safetensors").verdict, Verdict::same);
}

TEST_F(Commands, AConfigFieldThatMovesOutputsIsACause) {
  directory("one", R"({"model_type": "vit_mae", "mask_ratio": 0.75})");
  directory("two", R"({"model_type": "vit_mae", "mask_ratio": 0.5})");
  const Report report = diff_of("one", "two");
  EXPECT_EQ(report.verdict, Verdict::different);
  const Finding* finding = find(report, "config.changed");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->role, Role::cause);
  EXPECT_EQ(finding->evidence["fields"]["mask_ratio"], Json::array({0.75, 0.5}));
}

TEST_F(Commands, AConfigFieldThatMovesNothingIsANote) {
  directory("one", R"({"model_type": "vit", "initializer_range": 0.02})");
  directory("two", R"({"model_type": "vit", "initializer_range": 0.01})");
  const Report report = diff_of("one", "two");
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_EQ(exit_status(report), 0);
  EXPECT_EQ(find(report, "config.changed")->role, Role::note);
}

TEST_F(Commands, PreprocessingDiffersInDiffAndIsARiskInExplain) {
  directory("one", R"({"model_type": "vit"})",
            R"({"do_normalize": true, "image_mean": [0.5, 0.5, 0.5]})");
  directory("two", R"({"model_type": "vit"})",
            R"({"do_normalize": true, "image_mean": [0.4, 0.5, 0.5]})");
  EXPECT_EQ(diff_of("one", "two").verdict, Verdict::different);
  const Report report = explain({{folder_.path("one"), ""}, {folder_.path("two"), ""}}, {});
  check_evidence(report);
  EXPECT_EQ(find(report, "input.preprocessing")->role, Role::risk);
}

TEST_F(Commands, ActiveDropoutOnOneSideIsACause) {
  module_file("eval.pth", kFalse, tenth_);
  module_file("train.pth", kTrue, tenth_);
  const Report report = diff_of("eval.pth", "train.pth");
  EXPECT_EQ(report.verdict, Verdict::different);
  const Finding* finding = find(report, "mode.training");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->role, Role::cause);
  EXPECT_EQ(finding->evidence["modules"], Json::array({"drop"}));
}

TEST_F(Commands, DropoutWithoutProbabilityIsANote) {
  module_file("eval.pth", kFalse, zero_);
  module_file("train.pth", kTrue, zero_);
  const Report report = diff_of("eval.pth", "train.pth");
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_EQ(find(report, "mode.training")->role, Role::note);
  EXPECT_EQ(exit_status(report), 0);
}

TEST_F(Commands, ActiveDropoutOnBothSidesIsARisk) {
  module_file("one.pth", kTrue, tenth_);
  const Report report = diff_of("one.pth", "one.pth");
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_EQ(exit_status(report), 1);
}

TEST_F(Commands, InspectIsCleanOrSaysTheRisk) {
  EXPECT_EQ(inspect(folder_.path("a.safetensors"), {}).verdict, Verdict::clean);
  folder_.write("bad.pkl", pickled(call(global("os", "system"), {text("true")})));
  const Report report = inspect(folder_.path("bad.pkl"), {});
  EXPECT_EQ(report.verdict, Verdict::risk);
  ASSERT_NE(find(report, "file.calls"), nullptr);
  EXPECT_THAT(find(report, "file.calls")->summary, HasSubstr("os.system"));
}

TEST_F(Commands, AnUnusualImportIsANoteAndWithACallAPartOfTheRisk) {
  folder_.write("import.pkl", pickled(global("my", "function")));
  const Report harmless = inspect(folder_.path("import.pkl"), {});
  EXPECT_EQ(harmless.verdict, Verdict::clean);
  ASSERT_NE(find(harmless, "file.calls"), nullptr);
  EXPECT_EQ(find(harmless, "file.calls")->role, Role::note);
  EXPECT_EQ(find(harmless, "file.calls")->evidence["imports"], Json::array({"my.function"}));
  folder_.write("acts.pkl", pickled(global("os", "system")));
  EXPECT_EQ(inspect(folder_.path("acts.pkl"), {}).verdict, Verdict::risk);
  folder_.write("both.pkl", pickled(call(global("my", "call"), {global("my", "function")})));
  const Report both = inspect(folder_.path("both.pkl"), {});
  ASSERT_EQ(both.findings.size(), 1U);
  EXPECT_EQ(both.findings[0].evidence["calls"][0]["arguments"], "(my.function)");
}

TEST_F(Commands, SameWithAPickleBesideThatActsIsARisk) {
  directory("one", "{}");
  directory("two", "{}");
  folder_.write("two/training_args.bin", pickled(global("sys", "path") + text("x") + "a"));
  const Report report = diff({folder_.path("one"), ""}, {folder_.path("two"), ""}, 1);
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_EQ(exit_status(report), 1);
  ASSERT_NE(find(report, "file.calls"), nullptr);
  EXPECT_THAT(find(report, "file.calls")->summary,
              testing::AllOf(HasSubstr("training_args.bin"), HasSubstr("sys.path.append")));
}

TEST_F(Commands, InspectWithDigestsHasOneForEachTensor) {
  const Report report = inspect(folder_.path("a.safetensors"), {.sha256 = true});
  ASSERT_EQ(report.subjects[0].digests.size(), 2U);
  EXPECT_EQ(report.subjects[0].digests[0].size(), 64U);
}

TEST_F(Commands, ExplainSuspectsTheNoiseOfAMaskedAutoencoder) {
  directory("one", R"({"model_type": "vit_mae", "mask_ratio": 0.75})");
  const Report report = explain({{folder_.path("one"), ""}, {folder_.path("one"), ""}}, {});
  EXPECT_EQ(report.verdict, Verdict::different);
  const Finding* finding = find(report, "rng.noise");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->proof, Proof::suspected);
  EXPECT_FALSE(finding->settle.empty());
  EXPECT_THAT(report.not_checked, Contains(HasSubstr("outputs")));
}

TEST_F(Commands, ExplainIsUnknownWhereFilesDoNotTell) {
  const Report report =
      explain({{folder_.path("a.safetensors"), ""}, {folder_.path("a.safetensors"), ""}}, {});
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_EQ(exit_status(report), 2);
}

TEST_F(Commands, ExplainBorrowsAConfigAndSaysSo) {
  directory("one", R"({"model_type": "vit_mae"})");
  folder_.write("x.safetensors", safetensors({{"x", {1, 2, 3}}}));
  const Report report =
      explain({{folder_.path("one"), ""}, {folder_.path("x.safetensors"), ""}}, {});
  EXPECT_THAT(report.assumed, ElementsAre("B: config from A"));
  EXPECT_THAT(find(report, "rng.noise")->subjects, ElementsAre("A", "B"));
}

TEST_F(Commands, AnAverageIsNamedBeforeTheChange) {
  folder_.write("both.pth", torch_zip(dict({{"model", dict({{"w", tensor("0", 2)}})},
                                            {"ema", dict({{"w", tensor("1", 2)}})}}),
                                      {{"0", floats({1, 2})}, {"1", floats({3, 4})}}));
  folder_.write("ema.pth", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({3, 4})}}));
  const Report report = diff_of("both.pth", "ema.pth");
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].cause, "weights.averaged");
  EXPECT_EQ(report.findings[0].evidence["key"], "ema");
  EXPECT_EQ(find(report, "file.mixup"), nullptr);
  EXPECT_EQ(find(report, "weights.changed"), nullptr);
  EXPECT_EQ(report.verdict, Verdict::different);
}

TEST_F(Commands, AnAverageMayKeepACounterAndLeaveStatisticsOut) {
  const std::vector<std::pair<std::string, std::string>> storages = {
      {"0", floats({1, 2})}, {"1", floats({3, 4})}, {"2", floats({5, 6})}, {"3", floats({7})}};
  folder_.write(
      "both.pth",
      torch_zip(
          dict({{"model", dict({{"w", tensor("0", 2)}, {"bn.running_mean", tensor("2", 2)}})},
                {"ema", dict({{"module.w", tensor("1", 2)}, {"n_averaged", tensor("3", 1)}})}}),
          storages));
  const auto averaged_against = [&](const std::string& beside) {
    folder_.write("one.pth",
                  torch_zip(dict({{"w", tensor("1", 2)}, {beside, tensor("2", 2)}}), storages));
    const Report report = diff_of("one.pth", "both.pth");
    return find(report, "weights.averaged") != nullptr;
  };
  EXPECT_TRUE(averaged_against("bn.running_mean"));
  EXPECT_FALSE(averaged_against("bn.weight"));
}

TEST_F(Commands, APartOfACandidateMayBeTheAverage) {
  folder_.write("both.pth", torch_zip(dict({{"model", dict({{"w", tensor("0", 2)}})},
                                            {"ema", dict({{"online_model.w", tensor("0", 2)},
                                                          {"ema_model.w", tensor("1", 2)}})}}),
                                      {{"0", floats({1, 2})}, {"1", floats({3, 4})}}));
  folder_.write("ema.pth", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({3, 4})}}));
  const Report report = diff_of("ema.pth", "both.pth");
  const Finding* finding = find(report, "weights.averaged");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->subjects, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(finding->evidence["key"], "ema.ema_model");
  EXPECT_THAT(finding->remedy, HasSubstr("begin with ema.ema_model., a part that --key"));
}

TEST_F(Commands, TwoModelsOfOneDictAreNoAverages) {
  folder_.write("gan.pth", torch_zip(dict({{"generator", dict({{"w", tensor("0", 2)}})},
                                           {"discriminator", dict({{"w", tensor("1", 2)}})}}),
                                     {{"0", floats({1, 2})}, {"1", floats({3, -4})}}));
  folder_.write("raw.pth", torch_zip(dict({{"w", tensor("0", 2)}}), {{"0", floats({1, 2})}}));
  const Report report =
      diff({folder_.path("raw.pth"), ""}, {folder_.path("gan.pth"), "discriminator"}, 1);
  EXPECT_EQ(find(report, "weights.averaged"), nullptr);
  const Finding* finding = find(report, "weights.changed");
  ASSERT_NE(finding, nullptr);
  EXPECT_THAT(finding->summary, HasSubstr("under generator, not those under discriminator"));
  EXPECT_THAT(finding->remedy, HasSubstr("--key B=generator"));
  EXPECT_EQ(find(report, "file.mixup"), nullptr);
}

TEST_F(Commands, CheckAgainstAListSaysWhatStaysRandom) {
  folder_.write("list.json", R"([["x", [3]], ["y", [2]], ["z", [1]]])");
  const auto report = check({folder_.path("a.safetensors"), ""}, folder_.path("list.json"), 1);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->verdict, Verdict::risk);
  EXPECT_THAT(report->loads[0].random, ElementsAre("z"));
  EXPECT_EQ(find(*report, "weights.reinitialized")->evidence["count"], 1);
}

TEST_F(Commands, CheckOfAnUnknownTargetIsAUsageError) {
  const auto report = check({folder_.path("a.safetensors"), ""}, "transformers-9", 1);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::usage);
}

TEST_F(Commands, AFieldThatIsNotUsableIsNamedAndTheWeightsAreShown) {
  const std::string path = directory("odd", R"({"model_type": 5, "mask_ratio": -1})");
  const Report report = inspect(path, {});
  EXPECT_EQ(exit_status(report), 2);
  ASSERT_TRUE(report.subjects[0].checkpoint);
  EXPECT_EQ(report.subjects[0].checkpoint->weights().weights.size(), 1u);
  EXPECT_THAT(said(report), HasSubstr("odd/config.json: the config's field model_type"));
  EXPECT_THAT(said(report), HasSubstr("mask_ratio"));
  const Report both = diff({path, ""}, {path, ""}, 1);
  EXPECT_EQ(exit_status(both), 2);
  EXPECT_EQ(both.weights[0].comparison.verdict, WeightsVerdict::identical);
}

TEST_F(Commands, FilesThatNoReaderOpensAreNamedWhereTheyDiffer) {
  for (const std::string name : {"one", "two"}) {
    directory(name, "{}");
    folder_.write(name + "/head.safetensors", safetensors({{"h", {name == "one" ? 1.F : 2.F}}}));
    folder_.write(name + "/README.md", "equal");
  }
  folder_.write("two/custom_head.bin", "weights");
  const Report report = diff_of("one", "two");
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_THAT(said(report), HasSubstr("head.safetensors differs"));
  EXPECT_THAT(said(report), HasSubstr("custom_head.bin stands only in B"));
  EXPECT_THAT(said(report), Not(HasSubstr("README.md")));
  EXPECT_THAT(said(diff_of("one", "one")), Not(HasSubstr("beside the weights")));
}

TEST_F(Commands, MetadataOfSafetensorsIsNamedWhereItDiffers) {
  const auto with = [](const std::string& metadata) {
    std::string header = R"({"__metadata__":)" + metadata +
                         R"(,"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return le64(header.size()) + header + floats({1});
  };
  folder_.write("one.safetensors", with(R"({"scale":"1","format":"pt"})"));
  folder_.write("two.safetensors", with(R"({"scale":"2"})"));
  const Report report = diff_of("one.safetensors", "two.safetensors");
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_THAT(said(report), HasSubstr(R"(the metadata entry scale: "1" in A, "2" in B)"));
  EXPECT_THAT(said(report), Not(HasSubstr("format")));
}

TEST_F(Commands, AFileOfFieldsThatIsNoJsonHidesNoWeights) {
  for (const char* content : {"{", "[1]", "5", R"({"mask_ratio": 1e999})"}) {
    const Report report = inspect(directory("broken", content, content), {});
    EXPECT_EQ(exit_status(report), 2);
    ASSERT_TRUE(report.subjects[0].checkpoint) << content;
    EXPECT_THAT(said(report), HasSubstr("broken/config.json"));
    EXPECT_THAT(said(report), HasSubstr("broken/preprocessor_config.json"));
    EXPECT_THAT(said(report), Not(HasSubstr("json.exception")));
  }
}

TEST_F(Commands, AttributesOfModulesThatAreNotUsableAreNamed) {
  const std::string two = "G\x40" + std::string(7, '\0');
  const Report report = inspect(module_file("odd.pth", kFalse, two), {});
  EXPECT_EQ(exit_status(report), 2);
  EXPECT_THAT(said(report), HasSubstr("the module drop: a module's p is not usable"));
}

TEST_F(Commands, ANumberOfLabelsThatContradictsTheirNamesIsARisk) {
  folder_.write("labels/config.json",
                R"({"model_type": "vit", "num_labels": 5, "id2label": {"0": "a", "1": "b"}})");
  folder_.write("labels/model.safetensors", safetensors({{"classifier.bias", {1, 2}}}));
  const Report report = inspect(folder_.path("labels"), {});
  check_evidence(report);
  const Finding* found = find(report, "code.version");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->role, Role::risk);
  EXPECT_THAT(found->details[0], HasSubstr("4.57.6 counts the names and loads the 2 rows"));
  EXPECT_THAT(found->details[0], HasSubstr("5.24.0 takes the number and raises"));
  EXPECT_EQ(find(inspect(directory("none", R"({"num_labels": 5, "id2label": {"0": "a"}})"), {}),
                 "code.version"),
            nullptr);
}

TEST_F(Commands, OneWeightHasAnotherName) {
  folder_.write("renamed.safetensors", safetensors({{"x", {1, 2, 3}}, {"z", {4, 5}}}));
  const Report report = diff_of("a.safetensors", "renamed.safetensors");
  const Finding* renamed = find(report, "weights.renamed");
  ASSERT_NE(renamed, nullptr);
  EXPECT_EQ(renamed->summary, "1 weight has another name in B, by 1 rule");
}

}  // namespace
}  // namespace samebits
