// Two runs recorded in half precision: rounding of the type, another kernel, or a fault, and where.
#include "samebits/explain/trace_causes.h"

#include <bit>
#include <cmath>

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/attention_reach.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace test_files;  // NOLINT: the vocabulary of these tests

// One block of a model of two heads of two columns each, for two tokens.
constexpr std::size_t kValues = 8;
constexpr const char* kEager = R"({"attention":"eager"})";
constexpr const char* kSdpa = R"({"attention":"sdpa","heads":"2"})";

using Points = std::vector<std::pair<std::string, std::vector<float>>>;

/// Numbers of which the largest is 2, exact in bfloat16.
Points block(const std::string& model = "vit.layers.0.") {
  Points points = {{"pixel_values", {}}, {"vit.embeddings", {}}};
  for (const char* module : {"layernorm_before", "attention.q_proj", "attention.k_proj",
                             "attention.v_proj", "attention.o_proj", "attention", "mlp.fc1", "mlp"})
    points.emplace_back(model + module, std::vector<float>());
  points.emplace_back("vit.layernorm", std::vector<float>());
  for (auto& [name, values] : points)
    values = {0.50390625F, -1.9921875F,  1.0078125F, 0.25195313F,
              1.5078125F,  -0.75390625F, 2,          1.0234375F};
  return points;
}

Points changed(Points points, const std::string& from, float by,
               const std::vector<std::size_t>& at = {0, 1, 2, 3, 4, 5, 6, 7}) {
  bool reached = false;
  for (auto& [name, values] : points) {
    reached = reached || name == from;
    for (const std::size_t i : at) values[i] += reached ? by : 0;
  }
  return points;
}

/// `type`: "BF16", whose bits are float32's upper half, or "F32".
std::string recorded(const Points& points, const std::string& type, const char* metadata) {
  std::string header = std::string("{\"__metadata__\":") + metadata;
  std::string data;
  for (const auto& [name, values] : points) {
    header += ",\"" + name + "\":{\"dtype\":\"" + type + R"(","shape":[1,2,4],"data_offsets":[)" +
              std::to_string(data.size()) + ",";
    for (const float value : values) {
      const auto bits = std::bit_cast<std::uint32_t>(value);
      for (int byte = type == "BF16" ? 2 : 0; byte < 4; ++byte)
        data += static_cast<char>(bits >> (8 * byte) & 0xFF);
    }
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  return le64(header.size()) + header + data;
}

class HalfRecordings : public testing::Test {
 protected:
  Report diff_of(const Points& a, const Points& b, const char* left = kEager,
                 const char* right = kSdpa, const std::string& other = "BF16") {
    return diff({folder_.write("a.safetensors", recorded(a, "BF16", left)), ""},
                {folder_.write("b.safetensors", recorded(b, other, right)), ""}, 1);
  }

  static std::vector<std::string> causes(const Report& report) {
    std::vector<std::string> found;
    for (const Finding& finding : report.findings) found.push_back(finding.cause);
    return found;
  }

  Folder folder_;
};

constexpr float kUnit = 2.0F / 256;  // of bfloat16, of the largest number

TEST_F(HalfRecordings, ThatPartByRoundingBehindAnotherKernelNameIt) {
  const Report report =
      diff_of(block(), changed(block(), "vit.layers.0.attention.o_proj", 2 * kUnit));
  EXPECT_THAT(causes(report), ElementsAre("numerics.attention"));
  EXPECT_EQ(report.findings[0].proof, Proof::suspected);
  EXPECT_THAT(report.findings[0].details, ElementsAre(HasSubstr("units of bfloat16 (2^-8"),
                                                      HasSubstr("eager in A, sdpa in B")));
}

TEST_F(HalfRecordings, ThatPartBeforeAnyAttentionDoNotBlameIt) {
  for (const char* point :
       {"vit.embeddings", "vit.layers.0.layernorm_before", "vit.layers.0.attention.q_proj"}) {
    const Report report = diff_of(block(), changed(block(), point, kUnit));
    EXPECT_THAT(causes(report), ElementsAre("numerics.rounding")) << point;
    EXPECT_THAT(report.findings[0].details.back(), HasSubstr("before any attention")) << point;
  }
}

TEST_F(HalfRecordings, WithAFaultInOneHeadSayWhichAndDoNotCallItRounding) {
  // Head 1 has the columns 2 and 3 of both tokens.
  for (const float by : {5 * kUnit, 0.5F}) {
    const Report report =
        diff_of(block(), changed(block(), "vit.layers.0.attention.v_proj", by, {2, 3, 6, 7}));
    EXPECT_THAT(causes(report), ElementsAre("code.version")) << by;
    const Finding& finding = report.findings[0];
    EXPECT_EQ(finding.proof, Proof::suspected);
    EXPECT_EQ(finding.evidence["point"], "vit.layers.0.attention.v_proj");
    EXPECT_EQ(finding.evidence["heads"], Json::array({1}));
    EXPECT_THAT(finding.summary, HasSubstr("columns 2 to 3 of 4, head 1 of 2"));
    EXPECT_THAT(finding.settle, Not(IsEmpty()));
  }
}

TEST_F(HalfRecordings, WithAFaultBehindRoundingAreToldWhere) {
  const Points rounded = changed(block(), "vit.layers.0.attention.o_proj", kUnit);
  const Report report =
      diff_of(block(), changed(rounded, "vit.layers.0.mlp.fc1", 0.25F, {4, 5, 6, 7}));
  EXPECT_THAT(causes(report), ElementsAre("code.version"));
  EXPECT_EQ(report.findings[0].evidence["point"], "vit.layers.0.mlp.fc1");
  EXPECT_EQ(report.findings[0].evidence["where"], "token 1 of 2");
}

TEST_F(HalfRecordings, OfBlocksAloneMayHaveGrownBetweenThem) {
  const Points sparse = {block()[0], block("vit.layers.0")[8], block()[10]};
  const auto differing = [&](float by) {
    return causes(diff_of(sparse, changed(sparse, "vit.layernorm", by)));
  };
  EXPECT_THAT(differing(20 * kUnit), ElementsAre("numerics.attention"));
  EXPECT_THAT(differing(1), ElementsAre("code.version"));
}

TEST_F(HalfRecordings, OfAnotherTypeOnOneSideAreHeldToTheNarrower) {
  const auto of = [&](float by) {
    return diff_of(block(), changed(block(), "vit.embeddings", by), kEager, kEager, "F32");
  };
  EXPECT_THAT(causes(of(kUnit / 3)), ElementsAre("numerics.dtype"));
  const Report fault = of(1);
  EXPECT_THAT(causes(fault), ElementsAre("code.version", "numerics.dtype"));
  EXPECT_EQ(fault.findings[1].role, Role::contributes);
}

TEST(AttentionReach, StopsWhereTheInputWasRecordedAndIsEqual) {
  const auto reaches = [](const std::vector<std::string>& equal, const std::string& point) {
    std::vector<OutputPair> outputs;
    for (const std::string& each : equal) outputs.push_back({.point = each});
    outputs.push_back({.point = point});
    return attention_reaches(outputs, equal.size());
  };
  EXPECT_FALSE(reaches({}, "vit.embeddings.patch_embeddings.projection"));
  EXPECT_FALSE(reaches({"layers.1"}, "layers.2.layernorm_before"));
  EXPECT_TRUE(reaches({"layers.0"}, "layers.2.layernorm_before"));
  EXPECT_FALSE(reaches({}, "layers.0.norm1"));
  EXPECT_FALSE(
      reaches({"encoder.layer.3.layernorm_before"}, "encoder.layer.3.attention.attention.query"));
  EXPECT_TRUE(reaches({}, "encoder.layer.3.attention.attention.query"));
  EXPECT_TRUE(reaches({"layers.3.layernorm_before"}, "layers.3.attention.o_proj"));
  EXPECT_FALSE(reaches({"layers.3.layernorm_after"}, "layers.3.mlp.fc1"));
  EXPECT_TRUE(reaches({}, "classifier"));
}

}  // namespace
}  // namespace samebits
