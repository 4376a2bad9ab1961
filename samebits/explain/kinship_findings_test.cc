// What two files say of each other's history: as findings of a diff.
#include "samebits/explain/kinship_findings.h"

#include <gmock/gmock.h>

#include <numeric>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using test_files::Folder;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A safetensors file of tensors of any shape.
class Tensors {
 public:
  Tensors& add(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    tensors_.push_back({name, shape, values});
    return *this;
  }
  Tensors& constant(const std::string& name, const Shape& shape, float value) {
    return add(name, shape, std::vector<float>(*element_count(shape), value));
  }
  /// Numbers of a seed, and a part of another's.
  Tensors& random(const std::string& name, const Shape& shape, std::uint32_t seed,
                  float moved = 0) {
    std::vector<float> values;
    for (std::uint64_t i = 0; i < *element_count(shape); ++i) {
      const auto draw = [&](std::uint64_t s) {
        std::uint64_t state = (i + 1) * 0x9E3779B97F4A7C15ULL + s * 0xD1342543DE82EF95ULL;
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ULL;
        return static_cast<float>(static_cast<double>((state ^ (state >> 27)) >> 40) / (1 << 24) -
                                  0.5);
      };
      values.push_back(draw(seed) + moved * draw(seed + 1000));
    }
    return add(name, shape, values);
  }
  std::string file(const std::string& metadata = "") const {
    std::string header = "{" + metadata;
    std::string data;
    for (const Tensor& tensor : tensors_) {
      const std::string bytes = test_files::floats(tensor.values);
      std::string shape;
      for (const std::int64_t size : tensor.shape)
        shape += (shape.empty() ? "" : ",") + std::to_string(size);
      header += (header.size() > 1 ? ",\"" : "\"") + tensor.name +
                "\":{\"dtype\":\"F32\",\"shape\":[" + shape + "],\"data_offsets\":[" +
                std::to_string(data.size()) + "," + std::to_string(data.size() + bytes.size()) +
                "]}";
      data += bytes;
    }
    header += "}";
    std::string length;
    for (std::size_t i = 0; i < 8; ++i)
      length += static_cast<char>(header.size() >> (8 * i) & 0xFF);
    return length + header + data;
  }

 private:
  struct Tensor {
    std::string name;
    Shape shape;
    std::vector<float> values;
  };
  std::vector<Tensor> tensors_;
};

class Kinship : public testing::Test {
 protected:
  Report diff_of(const Tensors& a, const Tensors& b) {
    folder_.write("a.safetensors", a.file());
    folder_.write("b.safetensors", b.file());
    return diff({folder_.path("a.safetensors"), ""}, {folder_.path("b.safetensors"), ""}, 1);
  }

  /// The same as directories, with a config and the state of a Trainer.
  std::string directory(const std::string& name, const Tensors& tensors, const std::string& config,
                        const std::string& state = "") {
    folder_.write(name + "/model.safetensors", tensors.file());
    folder_.write(name + "/config.json", config);
    if (!state.empty()) folder_.write(name + "/trainer_state.json", state);
    return folder_.path(name);
  }

  static const Finding* find(const Report& report, const std::string& cause) {
    for (const Finding& finding : report.findings) {
      if (finding.cause == cause) return &finding;
    }
    return nullptr;
  }

  Folder folder_;
};

/// Blocks of a matrix, a norm and a bias; `fresh` ones hold what a new model holds.
Tensors blocks(std::uint32_t seed, bool fresh, float moved = 0, const std::string& prefix = "net.",
               std::uint32_t count = 3) {
  Tensors tensors;
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::string at = prefix + std::to_string(n) + ".";
    tensors.random(at + "fc.weight", {6, 6}, seed + 10 * n, moved);
    if (fresh) {
      tensors.constant(at + "norm.weight", {6}, 1).constant(at + "norm.bias", {6}, 0);
    } else {
      tensors.random(at + "norm.weight", {6}, seed + 10 * n + 1, moved);
      tensors.random(at + "norm.bias", {6}, seed + 10 * n + 2, moved);
    }
  }
  return tensors;
}

TEST_F(Kinship, ASideThatHoldsOnesAndZerosLooksFreshlyInitialized) {
  for (const bool turned : {false, true}) {
    Tensors trained = blocks(1, false);
    Tensors fresh = blocks(500, true);
    for (Tensors* each : {&trained, &fresh}) each->random("head.weight", {2, 6}, 77);
    const Report report = turned ? diff_of(fresh, trained) : diff_of(trained, fresh);
    const Finding* finding = find(report, "weights.reinitialized");
    ASSERT_NE(finding, nullptr);
    EXPECT_EQ(finding->evidence["side"], turned ? "A" : "B");
    EXPECT_EQ(finding->evidence["count"], 9);
    EXPECT_THAT(finding->summary, HasSubstr("freshly initialized in 9 of its 10 matched weights"));
    EXPECT_THAT(finding->details, Contains("net.0. (3), net.1. (3), net.2. (3)"));
    EXPECT_THAT(finding->details, Contains(HasSubstr("1 other weight is bit-identical")));
    EXPECT_EQ(find(report, "file.mixup"), nullptr);
    EXPECT_EQ(find(report, "weights.changed"), nullptr);
    EXPECT_EQ(report.verdict, Verdict::different);
  }
}

TEST_F(Kinship, OneNormIsNoSignOfAFreshModel) {
  const Report report = diff_of(blocks(1, false, 0, "net.", 1), blocks(500, true, 0, "net.", 1));
  EXPECT_EQ(find(report, "weights.reinitialized"), nullptr);
  EXPECT_NE(find(report, "weights.changed"), nullptr);
}

TEST_F(Kinship, NormsAtTheirInitialValuesAreSaidWhereNothingElseChanged) {
  for (const std::uint32_t count : {1U, 3U}) {
    const Report report =
        diff_of(blocks(1, false, 0, "net.", count), blocks(1, true, 0, "net.", count));
    const Finding* finding = find(report, "weights.reinitialized");
    ASSERT_NE(finding, nullptr);
    EXPECT_EQ(finding->evidence["count"], 2 * count);
    EXPECT_EQ(find(report, "weights.changed"), nullptr);
  }
  Tensors a = blocks(1, false).random("scale", {6}, 90);
  Tensors b = blocks(1, true).random("scale", {6}, 91);
  EXPECT_EQ(find(diff_of(a, b), "weights.reinitialized"), nullptr);
}

TEST_F(Kinship, OnesInATrainedModelAreNoSignWhereTheMatricesAreAlike) {
  const Report report = diff_of(blocks(1, false), blocks(1, true, 0.1F));
  EXPECT_EQ(find(report, "weights.reinitialized"), nullptr);
}

TEST_F(Kinship, ANormThatIsNotAllOnesSpeaksAgainstAFreshModel) {
  Tensors trained = blocks(1, false).random("last.weight", {6}, 90);
  Tensors other = blocks(500, true).random("last.weight", {6}, 91);
  EXPECT_EQ(find(diff_of(trained, other), "weights.reinitialized"), nullptr);
}

TEST_F(Kinship, WhatKeptItsNameAloneIsTheSignOfALoadByName) {
  Tensors a = blocks(1, false, 0, "encoder.layer.");
  Tensors b = blocks(500, false, 0, "model.encoder.layer.");
  for (Tensors* each : {&a, &b}) each->random("head.weight", {2, 6}, 77);
  const Report report = diff_of(a, b);
  const Finding* finding = find(report, "weights.reinitialized");
  ASSERT_NE(finding, nullptr);
  EXPECT_TRUE(finding->evidence["side"].is_null());
  EXPECT_EQ(finding->evidence["count"], 9);
}

TEST_F(Kinship, TheMedianChangeIsGivenAndNothingIsGuessed) {
  const Report report = diff_of(blocks(1, false), blocks(1, false, 0.7F));
  const Finding* finding = find(report, "file.mixup");
  ASSERT_NE(finding, nullptr);
  EXPECT_NEAR(finding->evidence["median_relative"].get<double>(), 0.7, 0.1);
  EXPECT_THAT(finding->summary, HasSubstr("median relative change 0."));
  EXPECT_THAT(finding->summary, HasSubstr("how they are related was not found"));
  EXPECT_EQ(finding->proof, Proof::suspected);
}

TEST_F(Kinship, OtherStepsAndCloseWeightsAreAsTwoStepsOfOneTraining) {
  const std::string config = R"({"model_type": "vit"})";
  const std::string early = directory("early", blocks(1, false), config, R"({"global_step": 10})");
  const std::string late =
      directory("late", blocks(1, false, 0.1F), config, R"({"global_step": 20})");
  const std::string again =
      directory("again", blocks(1, false, 0.1F), config, R"({"global_step": 10})");
  const std::string far = directory("far", blocks(300, false), config, R"({"global_step": 20})");
  const auto summary = [&](const std::string& other) {
    const Report report = diff({early, ""}, {other, ""}, 1);
    const Finding* finding = find(report, "file.mixup");
    return finding ? finding->summary : "";
  };
  EXPECT_THAT(summary(late), HasSubstr("as two steps of one training differ"));
  EXPECT_THAT(summary(again), HasSubstr("both files name global_step 10: two different states"));
  EXPECT_THAT(summary(far), HasSubstr("the weights are unlike"));
  EXPECT_THAT(summary(far), Not(HasSubstr("two steps")));
}

TEST_F(Kinship, TwoFreshModelsDifferByTheirDraws) {
  const Report report = diff_of(blocks(1, true, 0, "net.", 4), blocks(500, true, 0, "net.", 4));
  const Finding* finding = find(report, "file.mixup");
  ASSERT_NE(finding, nullptr);
  EXPECT_THAT(finding->summary, HasSubstr("initialized by other draws"));
}

TEST_F(Kinship, APartThatChangedAloneIsNamed) {
  Tensors a = blocks(1, false);
  Tensors b = blocks(1, false);
  a.random("head.fc.weight", {2, 6}, 70).random("head.fc.bias", {2}, 71);
  b.random("head.fc.weight", {2, 6}, 70, 0.1F).random("head.fc.bias", {2}, 71, 0.1F);
  const Report report = diff_of(a, b);
  EXPECT_EQ(find(report, "file.mixup"), nullptr);
  EXPECT_THAT(find(report, "weights.changed")->details,
              Contains("all of them in head.fc; the other 9 weights are equal"));
}

TEST_F(Kinship, TwoArchitecturesAreSaidToBeTwo) {
  Tensors a = blocks(1, true, 0, "vit.layer.");
  Tensors b;
  for (const std::string n : {"0.", "1."}) {
    b.random("h." + n + "attn.weight", {6, 12}, 900).constant("h." + n + "ln.weight", {6}, 1);
    b.constant("h." + n + "ln.bias", {6}, 0);
  }
  const std::string one = directory("one", a, R"({"model_type": "vit"})");
  const std::string two = directory("two", b, R"({"model_type": "gpt2"})");
  const Report report = diff({one, ""}, {two, ""}, 1);
  EXPECT_EQ(report.findings[0].cause, "weights.missing");
  EXPECT_THAT(report.findings[0].summary, HasSubstr("two architectures, vit and gpt2"));
  EXPECT_EQ(find(report, "file.mixup"), nullptr);
  const Report unnamed = diff_of(a, b);
  EXPECT_THAT(unnamed.findings[0].summary, HasSubstr("two architectures, of unlike shapes"));
  // One tensor that is no constant shows that they are related.
  const Report related = diff_of(a.random("x", {4}, 5), b.random("x", {4}, 5));
  EXPECT_THAT(related.findings[0].summary, Not(HasSubstr("architectures")));
}

TEST_F(Kinship, LayersPairedByAlikeNamesOfTwoTypesShowNoKinship) {
  const auto model = [](const std::string& base, const std::string& query, std::uint32_t seed) {
    Tensors tensors;
    for (const std::string n : {"0.", "1."}) {
      const std::string at = base + ".encoder.layer." + n + "attention.";
      for (const std::string part : {"query", "key", "value"})
        tensors.random(at + query + part + ".weight", {6, 6}, ++seed)
            .constant(at + query + part + ".bias", {6}, 0);
      tensors.random(at + "output.dense.weight", {6, 6}, ++seed)
          .add(at + query + "norm.weight", {6}, {1, 1, 1, 1, 1, static_cast<float>(seed) / 900});
    }
    return tensors.random(base + "." + query + "only", {5, 3}, ++seed);
  };
  const std::string one =
      directory("one", model("bert", "self.", 100), R"({"model_type": "bert"})");
  const std::string two =
      directory("two", model("deit", "attention.", 900).random("deit.x", {7, 9}, 5),
                R"({"model_type": "deit"})");
  const Report report = diff({one, ""}, {two, ""}, 1);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_THAT(report.findings[0].summary, HasSubstr("two architectures, bert and deit"));
  EXPECT_EQ(find(report, "weights.changed"), nullptr);
  // Under names that differ in their first part alone they may be of one kind.
  const std::string kin =
      directory("kin", model("roberta", "self.", 900), R"({"model_type": "roberta"})");
  EXPECT_NE(find(diff({one, ""}, {kin, ""}, 1), "weights.changed"), nullptr);
}

TEST_F(Kinship, CountersThatStandOnOneSideStartAtZero) {
  const auto model = [](bool counts) {
    Tensors tensors = Tensors()
                          .random("conv.weight", {3, 4}, 1)
                          .add("bn.running_mean", {3}, {1, 2, 3})
                          .add("bn.running_var", {3}, {4, 5, 6});
    return counts ? tensors.add("bn.num_batches_tracked", {}, {7}) : tensors;
  };
  const Report report = diff_of(model(true), model(false));
  const Finding* counters = find(report, "weights.missing");
  ASSERT_NE(counters, nullptr);
  EXPECT_EQ(counters->evidence["tensors"], Json::array({"bn.num_batches_tracked"}));
  EXPECT_THAT(counters->summary, HasSubstr("1 counter stands only in A"));
  EXPECT_EQ(counters->role, Role::note);
  EXPECT_THAT(counters->details[0], HasSubstr("starts it at 0"));
  EXPECT_EQ(report.verdict, Verdict::same);
  // With its norm it is a part that is missing.
  Tensors none;
  const Report whole = diff_of(model(true), none.random("conv.weight", {3, 4}, 1));
  EXPECT_EQ(find(whole, "weights.missing")->evidence["count"], 3);
}

Tensors with_batch_norm(float weight, float mean, float batches) {
  return Tensors()
      .random("conv.weight", {3, 4}, 1, weight)
      .add("bn.weight", {3}, {1, 2, 3})
      .add("bn.running_mean", {3}, {mean, 1, 2})
      .add("bn.num_batches_tracked", {}, {batches});
}

TEST_F(Kinship, RunningStatisticsAloneAreTheCause) {
  const Report report = diff_of(with_batch_norm(0, 0, 4), with_batch_norm(0, 1, 5));
  ASSERT_EQ(report.findings.size(), 1U);
  const Finding& finding = report.findings[0];
  EXPECT_EQ(finding.cause, "state.buffers");
  EXPECT_EQ(finding.role, Role::cause);
  EXPECT_EQ(finding.evidence["steps"], 1);
  EXPECT_EQ(finding.evidence["tensors"],
            Json::array({"bn.running_mean", "bn.num_batches_tracked"}));
  EXPECT_THAT(finding.summary, HasSubstr("B has seen 1 batch more in training mode"));
  EXPECT_EQ(report.verdict, Verdict::different);
}

TEST_F(Kinship, RunningStatisticsOfOtherBatchesAreTold) {
  const Report report = diff_of(with_batch_norm(0, 0, 4), with_batch_norm(0, 1, 4));
  EXPECT_THAT(report.findings[0].summary, HasSubstr("both have seen 4 batches"));
  EXPECT_EQ(report.findings[0].evidence["steps"], 0);
  const Report back = diff_of(with_batch_norm(0, 0, 9), with_batch_norm(0, 1, 4));
  EXPECT_THAT(back.findings[0].summary, HasSubstr("A has seen 5 batches more"));
}

TEST_F(Kinship, NormsThatCountNothingAreNoBatchNorms) {
  const Report report = diff_of(with_batch_norm(0, 0, 0), with_batch_norm(0, 1, 0));
  EXPECT_EQ(report.findings[0].cause, "state.buffers");
  EXPECT_EQ(report.findings[0].summary, "only running statistics differ, those of 1 norm");
  EXPECT_EQ(report.findings[0].evidence["steps"], nullptr);
  EXPECT_THAT(report.findings[0].details, Contains(HasSubstr("1 norm counts no batch")));
}

TEST_F(Kinship, RunningStatisticsBesideOtherChangesAreSaidApart) {
  const Report report = diff_of(with_batch_norm(0, 0, 4), with_batch_norm(0.1F, 1, 6));
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_EQ(report.findings[0].cause, "weights.changed");
  EXPECT_EQ(report.findings[0].evidence["tensors"], Json::array({"conv.weight"}));
  EXPECT_EQ(report.findings[1].cause, "state.buffers");
  EXPECT_EQ(report.findings[1].role, Role::contributes);
}

}  // namespace
}  // namespace samebits
