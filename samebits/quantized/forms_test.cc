#include "samebits/quantized/forms.h"

#include <gmock/gmock.h>

#include "samebits/quantized/test_checkpoint.h"

namespace samebits {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using Bytes8 = std::vector<std::uint8_t>;
using Words = std::vector<std::uint32_t>;
using Floats = std::vector<float>;

/// The only layer, which must be readable.
QuantizedWeight read_only(const TestCheckpoint& made) {
  const QuantizedLayers layers = quantized_layers(made.get());
  EXPECT_EQ(layers.size(), 1U);
  const auto weight =
      read_quantized(LayerSource(made.get()), layers.begin()->first, layers.begin()->second);
  EXPECT_TRUE(weight);
  return weight.value_or(QuantizedWeight());
}

bool is_read(const TestCheckpoint& made) {
  const QuantizedLayers layers = quantized_layers(made.get());
  return !layers.empty() &&
         read_quantized(LayerSource(made.get()), layers.begin()->first, layers.begin()->second);
}

std::vector<double> numbers_of_weight(const QuantizedWeight& weight) {
  DecodedRun run;
  weight.read(0, weight.numel(), run);
  return run.numbers;
}

Bytes8 text_bytes(const std::string& text) { return {text.begin(), text.end()}; }

/// Codes 0 to 3; the others mean 1, too.
const Floats kTable = {-1, 0, 0.5F, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

const std::string kState =
    R"({"quant_type": "nf4", "blocksize": 2, "dtype": "float32", "shape": [2, 2])";

TEST(Forms, FourBitsOfBitsandbytesAreReadByTheirTable) {
  TestCheckpoint made;
  made.add("fc.weight", DType::uint8, {2, 1}, Bytes8{0x12, 0x30})
      .add("fc.weight.absmax", DType::float32, {2}, Floats{2, 10})
      .add("fc.weight.quant_map", DType::float32, {16}, kTable)
      .add("fc.weight.quant_state.bitsandbytes__nf4", DType::uint8,
           {static_cast<std::int64_t>(kState.size() + 1)}, text_bytes(kState + "}"));
  const QuantizedWeight weight = read_only(made);
  EXPECT_EQ(weight.form, "bitsandbytes nf4, blocks of 2");
  EXPECT_EQ(weight.shape, Shape({2, 2}));
  EXPECT_TRUE(weight.exact);
  EXPECT_THAT(numbers_of_weight(weight), ElementsAre(0, 1, 10, -10));
}

TEST(Forms, LargestValuesOfBitsandbytesMayBeCodesThemselves) {
  Floats table(256, 0);
  table[7] = 0.25F;
  table[9] = 1;
  const std::string state =
      kState + R"(, "nested_blocksize": 1, "nested_dtype": "float32", "nested_offset": 1.0})";
  TestCheckpoint made;
  made.add("fc.weight", DType::uint8, {2, 1}, Bytes8{0x33, 0x33})
      .add("fc.weight.absmax", DType::uint8, {2}, Bytes8{7, 9})
      .add("fc.weight.nested_absmax", DType::float32, {2}, Floats{4, 2})
      .add("fc.weight.nested_quant_map", DType::float32, {256}, table)
      .add("fc.weight.quant_map", DType::float32, {16}, kTable)
      .add("fc.weight.quant_state.bitsandbytes__nf4", DType::uint8,
           {static_cast<std::int64_t>(state.size())}, text_bytes(state));
  const QuantizedWeight weight = read_only(made);
  EXPECT_THAT(weight.form, HasSubstr("double quantized"));
  EXPECT_THAT(numbers_of_weight(weight), ElementsAre(2, 2, 3, 3));
}

TEST(Forms, RowsOfBitsandbytesAreAHundredTwentySevenSteps) {
  TestCheckpoint made;
  made.add("fc.weight", DType::int8, {2, 1}, std::vector<std::int8_t>{127, -127})
      .add("fc.SCB", DType::float32, {2}, Floats{1, 3});
  const QuantizedWeight weight = read_only(made);
  EXPECT_EQ(weight.form, "bitsandbytes int8, a scale for each row");
  EXPECT_THAT(numbers_of_weight(weight), ElementsAre(1, -3));
}

TestCheckpoint packed_four_bits() {
  TestCheckpoint made;
  made.add("fc.weight_packed", DType::int32, {1, 8},
           Words{0x76543210, 0xfedcba98, 0, 0, 0, 0, 0, 0})
      .add("fc.weight_scale", DType::float32, {1, 2}, Floats{1, 10})
      .add("fc.weight_shape", DType::int64, {2}, std::vector<std::int64_t>{1, 64});
  return made;
}

TEST(Forms, PackedCodesAreShiftedByHalfTheirRange) {
  const TestCheckpoint made = packed_four_bits();
  const QuantizedWeight weight = read_only(made);
  EXPECT_EQ(weight.form, "compressed-tensors pack-quantized, 4 bits, blocks of 32");
  std::vector<double> expected;
  for (int i = -8; i < 8; ++i) expected.push_back(i);
  expected.resize(32, -8);
  expected.resize(64, -80);
  EXPECT_THAT(numbers_of_weight(weight), ElementsAreArray(expected));
}

TEST(Forms, PackedZeroPointsAreTakenAway) {
  TestCheckpoint made = packed_four_bits();
  made.add("fc.weight_zero_point", DType::int32, {1, 2}, Words{0x9, 0x8});
  const QuantizedWeight weight = read_only(made);
  EXPECT_THAT(weight.zeros, ElementsAre(1, 0));
  EXPECT_EQ(numbers_of_weight(weight)[0], -9);
}

TEST(Forms, AnOrderOfInputsOfCompressedTensorsIsNotRead) {
  TestCheckpoint made = packed_four_bits();
  made.add("fc.weight_g_idx", DType::int32, {64}, Words(64, 0));
  EXPECT_FALSE(is_read(made));
}

TEST(Forms, AWidthThatFitsSeveralNumbersOfBitsNeedsAConfig) {
  TestCheckpoint made;
  made.add("fc.weight_packed", DType::int32, {1, 1}, Words{0x03020100})
      .add("fc.weight_scale", DType::float32, {1}, Floats{1})
      .add("fc.weight_shape", DType::int64, {2}, std::vector<std::int64_t>{1, 4});
  EXPECT_FALSE(is_read(made));
  made.config(R"({"config_groups": {"group_0": {"weights": {"num_bits": 8}}}})");
  EXPECT_THAT(numbers_of_weight(read_only(made)), ElementsAre(-128, -127, -126, -125));
  made.config(R"({"config_groups": {"group_0": {"weights": {"num_bits": 3}}}})");
  EXPECT_FALSE(is_read(made));
}

TEST(Forms, FloatsOfAByteHaveBlocksOfRowsAndColumns) {
  TestCheckpoint made;
  made.add("fc.weight", DType::float8_e4m3fn, {4, 2}, Bytes8(8, 0x38))
      .add("fc.weight_scale_inv", DType::float32, {2, 1}, Floats{2, 3});
  const QuantizedWeight weight = read_only(made);
  EXPECT_EQ(weight.form, "float8_e4m3fn with weight_scale_inv, blocks of [2, 2]");
  EXPECT_THAT(numbers_of_weight(weight), ElementsAre(2, 2, 2, 2, 3, 3, 3, 3));
}

TEST(Forms, ScalesThatDoNotDivideTheMatrixAreNotRead) {
  TestCheckpoint made;
  made.add("fc.weight", DType::float8_e4m3fn, {3, 2}, Bytes8(6, 0x38))
      .add("fc.weight_scale_inv", DType::float32, {2, 1}, Floats{2, 3});
  EXPECT_FALSE(is_read(made));
}

TestCheckpoint gptq(std::uint32_t zeros, const std::string& format) {
  TestCheckpoint made;
  made.add("fc.qweight", DType::int32, {1, 8}, Words(8, 0x76543210))
      .add("fc.qzeros", DType::int32, {2, 1}, Words{zeros, zeros})
      .add("fc.scales", DType::float16, {2, 8}, std::vector<std::uint16_t>(16, 0x3c00))
      .add("fc.g_idx", DType::int32, {8}, Words{0, 0, 0, 0, 1, 1, 1, 1})
      .config(R"({"quant_method": "gptq", "bits": 4, "group_size": 4, "checkpoint_format": ")" +
              format + "\"}");
  return made;
}

TEST(Forms, ZeroPointsOfTheFirstFormatOfGptqAreStoredLessOne) {
  const TestCheckpoint made = gptq(0x77777777, "gptq");
  const QuantizedWeight first = read_only(made);
  EXPECT_EQ(first.form, "GPTQ, 4 bits, blocks of 4");
  EXPECT_EQ(first.shape, Shape({8, 8}));
  EXPECT_EQ(numbers_of_weight(first)[0], -8);
  EXPECT_EQ(numbers_of_weight(first)[7], -1);
  const TestCheckpoint second = gptq(0x77777777, "gptq_v2");
  EXPECT_EQ(numbers_of_weight(read_only(second))[0], -7);
  EXPECT_FALSE(is_read(gptq(0x7777777f, "gptq")));
  EXPECT_TRUE(is_read(gptq(0x7777777f, "gptq_v2")));
}

TEST(Forms, InputsOfGptqMayBeInAnyGroup) {
  TestCheckpoint made;
  std::vector<std::uint16_t> scales(16, 0x3c00);
  std::fill(scales.begin() + 8, scales.end(), 0x4000);
  made.add("fc.qweight", DType::int32, {1, 8}, Words(8, 0x99999999))
      .add("fc.qzeros", DType::int32, {2, 1}, Words{0x77777777, 0x77777777})
      .add("fc.scales", DType::float16, {2, 8}, scales)
      .add("fc.g_idx", DType::int32, {8}, Words{1, 0, 0, 0, 1, 0, 1, 1})
      .config(R"({"quant_method": "gptq", "bits": 4, "group_size": 4})");
  const QuantizedWeight weight = read_only(made);
  EXPECT_THAT(weight.form, HasSubstr("in act-order"));
  const std::vector<double> numbers = numbers_of_weight(weight);
  EXPECT_THAT(std::vector<double>(numbers.begin(), numbers.begin() + 8),
              ElementsAre(2, 1, 1, 1, 2, 1, 2, 2));
}

TEST(Forms, OutputsOfAwqAreInterleavedInWords) {
  TestCheckpoint made;
  made.add("fc.qweight", DType::int32, {2, 1}, Words{0x75316420, 0})
      .add("fc.qzeros", DType::int32, {1, 1}, Words{0x00000001})
      .add("fc.scales", DType::float16, {1, 8}, std::vector<std::uint16_t>(8, 0x3c00))
      .config(R"({"quant_method": "awq", "bits": 4, "group_size": 2, "version": "gemm"})");
  const QuantizedWeight weight = read_only(made);
  EXPECT_EQ(weight.form, "AWQ, 4 bits, a scale for each row");
  EXPECT_EQ(weight.shape, Shape({8, 2}));
  EXPECT_THAT(numbers_of_weight(weight),
              ElementsAre(-1, -1, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0));
}

TEST(Forms, ScalesOfTorchMayGoAlongAnyAxis) {
  TestCheckpoint made;
  made.add("w", DType::qint8, {2, 2}, std::vector<std::int8_t>{1, 2, 3, 4},
           "quantized per_channel_affine, axis 1")
      .add("w.scales", DType::float64, {2}, std::vector<double>{1, 10})
      .add("w.zero_points", DType::int64, {2}, std::vector<std::int64_t>{0, 1});
  const QuantizedWeight weight =
      *read_torch_quantized(LayerSource(made.get()), "w", {"w", "w.scales", "w.zero_points"});
  EXPECT_TRUE(weight.fits());
  EXPECT_FALSE(weight.exact);
  EXPECT_THAT(numbers_of_weight(weight), ElementsAre(1, 10, 3, 30));
}

TEST(Forms, ConfigsOfOtherShapesAreNoFault) {
  for (const char* text :
       {R"({"config_groups": [1]})", R"({"config_groups": {"a": {"weights": [1]}}})",
        R"({"config_groups": {"a": 3}})", R"({"config_groups": "x"})", "[]", "7"}) {
    TestCheckpoint made = packed_four_bits();
    EXPECT_TRUE(is_read(made.config(text))) << text;
  }
}

TEST(Forms, AreCountedTheMostFrequentFirst) {
  TestCheckpoint made = packed_four_bits();
  for (const std::string layer : {"a", "b"})
    made.add(layer + ".weight", DType::int8, {1, 1}, std::vector<std::int8_t>{1})
        .add(layer + ".SCB", DType::float32, {1}, Floats{1});
  made.add("c.weight_packed", DType::int32, {1, 1}, Words{1});
  const std::vector<FormCount> counts = count_forms(made.get());
  ASSERT_EQ(counts.size(), 3U);
  EXPECT_EQ(counts[0].count, 2U);
  EXPECT_EQ(counts[1].form, "");
}

}  // namespace
}  // namespace samebits
