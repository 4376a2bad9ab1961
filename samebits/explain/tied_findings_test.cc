// Tensors under two names on one side and one on the other.
#include "samebits/explain/tied_findings.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests

class Ties : public testing::Test {
 protected:
  std::string directory(const std::string& config, const std::string& name = kTable) {
    folder_.write("hf/config.json", config);
    folder_.write("hf/model.safetensors", safetensors({{name, {1, 2, 3}}, {"ln.weight", {4, 5}}}));
    return folder_.path("hf");
  }
  /// Both names, in one storage or in two.
  std::string state_dict(bool shared, const std::vector<float>& head = {1, 2, 3}) {
    return folder_.write(
        "sd.pth",
        torch_zip(dict({{kTable, tensor("0", 3)},
                        {"lm_head.weight", tensor(shared ? "0" : "1", 3)},
                        {"ln.weight", tensor("2", 2)}}),
                  {{"0", floats({1, 2, 3})}, {"1", floats(head)}, {"2", floats({4, 5})}}));
  }
  Report diff_of(const std::string& a, const std::string& b) { return diff({a, ""}, {b, ""}, 1); }
  static Role role_of(const Report& report) {
    EXPECT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].cause, "weights.tied");
    return report.findings[0].role;
  }
  static constexpr const char* kTable = "transformer.wte.weight";
  Folder folder_;
};

TEST_F(Ties, AConfigThatTiesMakesItANote) {
  const std::string hf = directory(R"({"model_type": "gpt2", "tie_word_embeddings": true})");
  for (const bool shared : {true, false}) {
    const Report report = diff_of(hf, state_dict(shared));
    EXPECT_EQ(report.verdict, Verdict::same);
    EXPECT_EQ(role_of(report), Role::note);
    EXPECT_EQ(exit_status(report), 0);
    EXPECT_EQ(report.weights[0].comparison.verdict, WeightsVerdict::same_values);
  }
}

TEST_F(Ties, TheDefaultOfTheClassCounts) {
  EXPECT_EQ(role_of(diff_of(directory(R"({"model_type": "gpt2"})"), state_dict(true))), Role::note);
}

TEST_F(Ties, AConfigThatDoesNotTieLeavesARisk) {
  const std::string hf = directory(R"({"model_type": "gpt2", "tie_word_embeddings": false})");
  EXPECT_EQ(role_of(diff_of(hf, state_dict(true))), Role::risk);
  const Report apart = diff_of(hf, state_dict(false));
  EXPECT_EQ(apart.verdict, Verdict::different);
  EXPECT_EQ(apart.findings[0].cause, "weights.missing");
}

TEST_F(Ties, OtherValuesUnderTheTiedNameAreADifference) {
  const std::string hf = directory(R"({"model_type": "gpt2", "tie_word_embeddings": true})");
  const Report report = diff_of(hf, state_dict(false, {1, 2, 4}));
  EXPECT_EQ(report.verdict, Verdict::different);
  EXPECT_EQ(report.findings[0].cause, "weights.missing");
}

TEST_F(Ties, OnlyTheOutputLayersNameIsNoted) {
  const std::string config = R"({"model_type": "gpt2", "tie_word_embeddings": true})";
  folder_.write("all.safetensors", safetensors({{kTable, {1, 2, 3}}, {"ln.weight", {4, 5}}}));
  const Report report =
      diff_of(folder_.path("all.safetensors"), directory(config, "lm_head.weight"));
  EXPECT_EQ(report.verdict, Verdict::same);
  bool noted = false;
  for (const Finding& finding : report.findings)
    noted = noted || (finding.cause == "weights.tied" && finding.role == Role::note &&
                      finding.summary.find("4.57.6 leaves both") != std::string::npos);
  EXPECT_TRUE(noted);
}

}  // namespace
}  // namespace samebits
