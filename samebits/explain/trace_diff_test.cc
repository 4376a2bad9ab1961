// Two recorded runs held against each other: which difference gets which cause.
#include "samebits/explain/trace_diff.h"

#include <cmath>

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"

namespace samebits {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

struct RecordedArray {
  std::string name, shape;
  std::vector<float> values;
};

/// Four numbers, the largest of which is 2.
const std::vector<float> kNumbers = {0.5F, -2, 1, 0.25F};

std::vector<float> moved(std::size_t place, float by, std::vector<float> values = kNumbers) {
  values[place] += by;
  return values;
}

/// A recording as safetensors holds it, its metadata as JSON.
std::string recording(const std::vector<RecordedArray>& points, const std::string& metadata = "") {
  std::string header = "{";
  std::string data;
  if (!metadata.empty()) header += "\"__metadata__\":" + metadata + ",";
  for (const RecordedArray& point : points) {
    header += "\"" + point.name + "\":{\"dtype\":\"F32\",\"shape\":" + point.shape +
              ",\"data_offsets\":[" + std::to_string(data.size()) + ",";
    data += floats(point.values);
    header += std::to_string(data.size()) + "]},";
  }
  header.back() = '}';
  return le64(header.size()) + header + data;
}

class TwoRecordings : public testing::Test {
 protected:
  Report diff_of(const std::string& a, const std::string& b) {
    return diff({folder_.write("a.safetensors", a), ""}, {folder_.write("b.safetensors", b), ""},
                1);
  }

  /// Of runs that differ in these points alone, pixel_values and embeddings being equal.
  Report parted(const std::vector<float>& layer, const std::vector<float>& norm) {
    return diff_of(run(kNumbers, kNumbers), run(layer, norm));
  }
  static std::string run(const std::vector<float>& layer, const std::vector<float>& norm,
                         const std::string& metadata = "") {
    return recording({{"pixel_values", "[4]", kNumbers},
                      {"embeddings", "[4]", kNumbers},
                      {"layers.0", "[4]", layer},
                      {"layernorm", "[4]", norm}},
                     metadata);
  }

  static std::vector<std::string> causes(const Report& report) {
    std::vector<std::string> found;
    for (const Finding& finding : report.findings) found.push_back(finding.cause);
    return found;
  }

  Folder folder_;
};

TEST_F(TwoRecordings, OfTheSameBitsAreTheSame) {
  const Report report = parted(kNumbers, kNumbers);
  EXPECT_EQ(report.verdict, Verdict::same);
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.outputs.size(), 4U);
}

TEST_F(TwoRecordings, WithAPointThatOneLacksAreUnknown) {
  const std::string less = recording({{"embeddings", "[4]", kNumbers}});
  for (const Report& report :
       {diff_of(run(kNumbers, kNumbers), less), diff_of(less, run(kNumbers, kNumbers))}) {
    EXPECT_EQ(report.verdict, Verdict::unknown);
    EXPECT_EQ(report.not_checked.size(), 3U);
  }
  const std::string other = recording({{"embeddings", "[4]", moved(0, 1)}});
  EXPECT_EQ(diff_of(run(kNumbers, kNumbers), other).verdict, Verdict::different);
}

TEST_F(TwoRecordings, OfOtherShapesAreNotCompared) {
  const Report report = diff_of(recording({{"embeddings", "[4]", kNumbers}}),
                                recording({{"embeddings", "[2,2]", kNumbers}}));
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_THAT(report.not_checked, ElementsAre(HasSubstr("embeddings")));
}

TEST_F(TwoRecordings, GivenOtherNoiseSaySo) {
  const auto with_noise = [](const std::vector<float>& noise, const std::vector<float>& layer) {
    return recording(
        {{"pixel_values", "[4]", kNumbers}, {"noise", "[4]", noise}, {"layers.0", "[4]", layer}});
  };
  const Report report =
      diff_of(with_noise(kNumbers, kNumbers), with_noise(moved(3, 0.5F), moved(0, 1)));
  EXPECT_THAT(causes(report), ElementsAre("rng.seed"));
  EXPECT_EQ(report.findings[0].proof, Proof::observed);
  const Report noise_alone =
      diff_of(with_noise(kNumbers, kNumbers), with_noise(moved(3, 0.5F), kNumbers));
  EXPECT_EQ(noise_alone.verdict, Verdict::different);
  EXPECT_THAT(causes(noise_alone), ElementsAre("rng.seed"));
}

TEST_F(TwoRecordings, GivenAnotherInputSaySoAndNothingElse) {
  const auto of_input = [](const std::vector<float>& input, const std::vector<float>& layer) {
    return recording({{"pixel_values", "[4]", input}, {"layers.0", "[4]", layer}});
  };
  const Report report = diff_of(of_input(kNumbers, kNumbers), of_input(moved(1, 1), moved(0, 1)));
  EXPECT_EQ(report.verdict, Verdict::different);
  EXPECT_THAT(causes(report), ElementsAre("input.preprocessing"));
  EXPECT_THAT(report.findings[0].details[0], HasSubstr("1 of 4 elements differ, up to 1"));
  EXPECT_EQ(diff_of(of_input(kNumbers, kNumbers), of_input(moved(1, 1), kNumbers)).verdict,
            Verdict::different);
}

TEST_F(TwoRecordings, ThatPartByRoundingAreSuspectedOfIt) {
  // A hundred-thousandth of 2, the largest number there.
  for (const float by : {1e-6F, 1.9e-5F}) {
    const Report report = parted(moved(2, by), moved(2, by));
    EXPECT_THAT(causes(report), ElementsAre("numerics.rounding")) << by;
    EXPECT_EQ(report.findings[0].proof, Proof::suspected);
    EXPECT_EQ(report.findings[0].evidence["point"], "layers.0");
  }
  // Of more it is not known whether it is rounding that grew between the points.
  for (const float by : {2.1e-5F, 1.9e-4F}) {
    const Report report = parted(moved(2, by), moved(2, by));
    EXPECT_EQ(report.verdict, Verdict::different);
    EXPECT_THAT(causes(report), IsEmpty()) << by;
  }
  EXPECT_THAT(causes(parted(moved(2, 2.1e-4F), moved(2, 1))), ElementsAre("code.version"));
}

TEST_F(TwoRecordings, OfSmallNumbersAreHeldAgainstOne) {
  const std::vector<float> small = {1e-3F, 2e-3F, -1e-3F, 1e-3F};
  const auto of = [&](float by) { return recording({{"embeddings", "[4]", moved(0, by, small)}}); };
  EXPECT_THAT(causes(diff_of(of(0), of(9e-6F))), ElementsAre("numerics.rounding"));
  EXPECT_THAT(causes(diff_of(of(0), of(1.1e-5F))), IsEmpty());
}

TEST_F(TwoRecordings, WhereRoundingHasGrownTooFarDepartThere) {
  // A ten-thousandth of 2 is what rounding may grow to.
  EXPECT_THAT(causes(parted(moved(2, 1e-6F), moved(2, 1.9e-4F))), ElementsAre("numerics.rounding"));
  const Report report = parted(moved(2, 1e-6F), moved(2, 2.1e-4F));
  EXPECT_THAT(causes(report), ElementsAre("code.version"));
  EXPECT_EQ(report.findings[0].proof, Proof::suspected);
  EXPECT_EQ(report.findings[0].evidence["point"], "layernorm");
}

TEST_F(TwoRecordings, SayInWhatTheyWereRecordedOtherwise) {
  const auto of = [&](const std::string& metadata, float by) {
    return run(moved(2, by), kNumbers, metadata);
  };
  const std::string one = R"({"threads":"1","attention":"sdpa","cpu":"AVX2"})";
  EXPECT_THAT(causes(diff_of(of(one, 0), of(one, 1e-6F))), ElementsAre("numerics.rounding"));
  EXPECT_THAT(
      causes(diff_of(of(one, 0), of(R"({"threads":"4","attention":"sdpa","cpu":"AVX2"})", 1e-6F))),
      ElementsAre("numerics.threads"));
  EXPECT_THAT(
      causes(diff_of(of(one, 0), of(R"({"threads":"4","attention":"eager","cpu":"NEON"})", 1e-6F))),
      ElementsAre("numerics.threads", "numerics.attention", "numerics.hardware"));
  // What one does not say is no difference.
  EXPECT_THAT(causes(diff_of(of(one, 0), of(R"({"threads":"1"})", 1e-6F))),
              ElementsAre("numerics.rounding"));
  EXPECT_THAT(causes(diff_of(of(R"({"threads":"1"})", 0), of(one, 1e-6F))),
              ElementsAre("numerics.rounding"));
}

TEST_F(TwoRecordings, WithRowsInAnotherOrderHaveTheirTokensInAnother) {
  const auto of = [](const std::vector<float>& values) {
    return recording({{"pixel_values", "[4]", kNumbers}, {"layernorm", "[1,4,1]", values}});
  };
  const Report report = diff_of(of(kNumbers), of({1, 0.5F, 0.25F, -2}));
  EXPECT_THAT(causes(report), ElementsAre("order.tokens"));
  EXPECT_EQ(report.findings[0].proof, Proof::observed);
  EXPECT_THAT(causes(diff_of(of(kNumbers), of({1, 0.5F, 0.5F, -2}))), ElementsAre("code.version"));
}

TEST_F(TwoRecordings, OfWhichOneWasRoundedToANarrowerType) {
  std::vector<float> exact;
  std::vector<float> rounded;
  for (int i = 0; i < 32; ++i) {
    exact.push_back(1 + static_cast<float>(i) / 1000);
    rounded.push_back(1 + static_cast<float>(std::lround(exact.back() * 128 - 128)) / 128);
  }
  const auto of = [](const std::vector<float>& values) {
    return recording({{"pixel_values", "[4]", kNumbers}, {"layernorm", "[32]", values}});
  };
  EXPECT_THAT(causes(diff_of(of(exact), of(rounded))), ElementsAre("numerics.dtype"));
  EXPECT_THAT(causes(diff_of(of(rounded), of(exact))), ElementsAre("numerics.dtype"));
}

TEST_F(TwoRecordings, WithAFewRoundNumbersAreNoRounding) {
  // 0, 1 and -1 are numbers of every type: an image of them says nothing of its type.
  const auto of = [](const std::vector<float>& values) {
    return recording({{"pixel_values", "[6]", values}});
  };
  EXPECT_THAT(
      causes(diff_of(of({0, 1, -1, 0, 1, -1}), of({1e-9F, 0.999999F, -1.000001F, 0, 1, -1}))),
      ElementsAre("input.preprocessing"));
  EXPECT_THAT(causes(diff_of(of({1.001F, 2.001F, 3.001F, 0, 0, 0}), of({1, 2, 3, 0, 0, 0}))),
              ElementsAre("input.preprocessing"));
  EXPECT_THAT(causes(diff_of(of({1.001F, 2.001F, 3.001F, 4.001F, 0, 0}), of({1, 2, 3, 4, 0, 0}))),
              ElementsAre("numerics.dtype"));
}

TEST_F(TwoRecordings, OfOneRowBehindEqualPointsAreSuspectedOfItsAddress) {
  const auto of = [](const std::string& shape, float by, float before) {
    return recording({{"pixel_values", "[4]", kNumbers},
                      {"layernorm", "[4]", moved(0, before)},
                      {"classifier", shape, moved(0, by)}});
  };
  EXPECT_THAT(causes(diff_of(of("[1,4]", 0, 0), of("[1,4]", 1e-6F, 0))),
              ElementsAre("numerics.alignment"));
  EXPECT_THAT(causes(diff_of(of("[2,2]", 0, 0), of("[2,2]", 1e-6F, 0))),
              ElementsAre("numerics.rounding"));
  EXPECT_THAT(causes(diff_of(of("[1,4]", 0, 0), of("[1,4]", 1e-6F, 1e-6F))),
              ElementsAre("numerics.rounding"));
  EXPECT_THAT(causes(diff_of(of("[1,4]", 0, 0), of("[1,4]", 1e-3F, 0))),
              ElementsAre("code.version"));
}

/// Images of one number each, and what a layer makes of them.
std::string batch_of(const std::vector<float>& images, const std::vector<float>& layer) {
  const std::string count = std::to_string(images.size());
  return recording({{"pixel_values", "[" + count + ",1,1,1]", images},
                    {"embeddings", "[" + count + ",1,1]", layer}});
}

TEST_F(TwoRecordings, OfOneImageAloneAndInABatchAreHeldAgainstItsPlace) {
  const std::string batch = batch_of({1, 2, 3}, {10, 20, 30});
  for (const float image : {1.0F, 2.0F, 3.0F}) {
    const std::string one = batch_of({image}, {10 * image});
    for (const Report& report : {diff_of(one, batch), diff_of(batch, one)}) {
      EXPECT_EQ(report.verdict, Verdict::same) << image;
      EXPECT_EQ(report.assumed.size(), 1U);
    }
    const std::string rounded = batch_of({image}, {10 * image + 2e-6F * image});
    for (const Report& report : {diff_of(rounded, batch), diff_of(batch, rounded)})
      EXPECT_THAT(causes(report), ElementsAre("numerics.batch")) << image;
    EXPECT_EQ(diff_of(batch_of({image}, {11 * image}), batch).verdict, Verdict::different);
  }
  EXPECT_EQ(diff_of(batch_of({4}, {40}), batch).verdict, Verdict::unknown);
  EXPECT_EQ(diff_of(batch_of({1, 2}, {10, 20}), batch).verdict, Verdict::unknown);
}

TEST_F(TwoRecordings, AreRefusedBesideAModel) {
  const std::string model = safetensors({{"layer.weight", {1, 2}}});
  const Report report = diff_of(model, run(kNumbers, kNumbers));
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_THAT(report.not_checked, Contains(HasSubstr("explain MODEL TRACE")));
}

}  // namespace
}  // namespace samebits
