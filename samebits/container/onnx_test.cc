#include "samebits/container/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace samebits {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Protobuf's wire format.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string number(std::uint64_t field, std::uint64_t value) {
  return varint(field << 3) + varint(value);
}
std::string bytes_of(std::uint64_t field, const std::string& content) {
  return varint(field << 3 | 2) + varint(content.size()) + content;
}

// Messages of onnx.proto.
std::string tensor(std::uint64_t type, const std::vector<std::uint64_t>& shape,
                   const std::string& values, const std::string& name = "w") {
  std::string message;
  for (const std::uint64_t size : shape) message += number(1, size);
  return message + number(2, type) + bytes_of(8, name) + values;
}
std::string initializer(const std::string& message) { return bytes_of(5, message); }
std::string node(const std::string& operation, const std::string& output,
                 const std::string& attribute) {
  return bytes_of(1, bytes_of(2, output) + bytes_of(4, operation) + bytes_of(5, attribute));
}
std::string model(const std::string& graph) {
  return number(1, 10) + bytes_of(2, "pytorch") + bytes_of(3, "2.13.0") + bytes_of(7, graph);
}

constexpr std::uint64_t kFloat = 1, kInt8 = 3, kInt64 = 7, kHalf = 10, kText = 8;

/// Keeps the bytes that a model borrows.
class OnnxTest : public testing::Test {
 protected:
  Result<OnnxModel> read(const std::string& text) {
    file_ = text;
    return read_onnx({reinterpret_cast<const std::uint8_t*>(file_.data()), file_.size()}, "m.onnx");
  }
  OnnxTensor only_tensor(const std::string& graph) {
    const auto found = read(model(graph));
    EXPECT_TRUE(found) << to_string(found.error());
    if (!found || found->tensors.size() != 1) return {};
    return found->tensors[0];
  }
  std::string refused(const std::string& text) {
    const auto found = read(text);
    return found ? std::string("it was read") : to_string(found.error());
  }

 private:
  std::string file_;
};

TEST_F(OnnxTest, ReadsAnInitializerWhereItLies) {
  const std::string data = "\x01\x02\x03\x04\x05\x06\x07\x08";
  const auto found = read(model(initializer(tensor(kFloat, {2, 1}, bytes_of(9, data)))));
  ASSERT_TRUE(found) << to_string(found.error());
  EXPECT_EQ(found->ir_version, 10u);
  EXPECT_EQ(found->producer, "pytorch 2.13.0");
  ASSERT_THAT(found->tensors, SizeIs(1));
  const OnnxTensor& only = found->tensors[0];
  EXPECT_EQ(only.name, "w");
  EXPECT_EQ(only.dtype, DType::float32);
  EXPECT_EQ(only.shape, (Shape{2, 1}));
  EXPECT_EQ(as_text(only.bytes), data);
  EXPECT_FALSE(only.is_constant);
  EXPECT_EQ(only.unreadable, "");
}

TEST_F(OnnxTest, SizesMayBePackedInOneField) {
  const std::string message = bytes_of(1, varint(300) + varint(0)) + number(2, kFloat);
  const OnnxTensor only = only_tensor(initializer(message));
  EXPECT_EQ(only.shape, (Shape{300, 0}));
  EXPECT_EQ(only.unreadable, "");
}

TEST_F(OnnxTest, NarrowTypesStandInVarints) {
  const std::string packed = bytes_of(5, varint(0x3c00) + varint(0xbc00));
  EXPECT_THAT(only_tensor(initializer(tensor(kHalf, {2}, packed))).unpacked,
              ElementsAre(0x00, 0x3c, 0x00, 0xbc));
  // -1 of an int8 is written with ten bytes.
  const std::string single = number(5, ~std::uint64_t{0}) + number(5, 7);
  EXPECT_THAT(only_tensor(initializer(tensor(kInt8, {2}, single))).unpacked, ElementsAre(0xff, 7));
  EXPECT_THAT(only_tensor(initializer(tensor(kInt64, {1}, bytes_of(7, varint(258))))).unpacked,
              ElementsAre(2, 1, 0, 0, 0, 0, 0, 0));
}

TEST_F(OnnxTest, ExternalDataHaveAPlace) {
  const auto entry = [](const std::string& key, const std::string& value) {
    return bytes_of(13, bytes_of(1, key) + bytes_of(2, value));
  };
  const std::string place = number(14, 1) + entry("location", "m.data") + entry("offset", "4096");
  const OnnxTensor only =
      only_tensor(initializer(tensor(kFloat, {3}, place + entry("length", "12"))));
  EXPECT_EQ(only.location, "m.data");
  EXPECT_EQ(only.external_offset, 4096u);
  EXPECT_EQ(only.external_length, 12u);
  EXPECT_THAT(
      only_tensor(initializer(tensor(kFloat, {3}, place + entry("length", "8")))).unreadable,
      HasSubstr("have 8 bytes, and its shape 12"));
  EXPECT_THAT(only_tensor(initializer(tensor(kFloat, {3}, number(14, 1)))).unreadable,
              HasSubstr("where its external data are"));
  EXPECT_THAT(refused(model(initializer(tensor(kFloat, {3}, entry("offset", "four"))))),
              HasSubstr("no number"));
}

TEST_F(OnnxTest, ConstantsOfGraphsInsideHaveTheNameOfTheirOutput) {
  const std::string value = bytes_of(5, tensor(kFloat, {1}, bytes_of(9, "abcd"), "another"));
  const std::string constant = node("Constant", "c", value);
  const OnnxTensor outer = only_tensor(constant);
  EXPECT_EQ(outer.name, "c");
  EXPECT_TRUE(outer.is_constant);
  EXPECT_EQ(only_tensor(node("If", "y", bytes_of(6, constant))).name, "c");
  // Of another node such an attribute is no weight.
  const auto other = read(model(node("ConstantOfShape", "c", value)));
  ASSERT_TRUE(other);
  EXPECT_THAT(other->tensors, IsEmpty());
}

TEST_F(OnnxTest, ValuesThatDoNotFillTheShapeAreNamed) {
  EXPECT_THAT(only_tensor(initializer(tensor(kFloat, {2}, bytes_of(9, "abcd")))).unreadable,
              HasSubstr("it has 4 bytes of values, and its shape 8"));
  EXPECT_THAT(only_tensor(initializer(tensor(kText, {1}, ""))).unreadable,
              HasSubstr("type 8 are not read"));
}

TEST_F(OnnxTest, FunctionsAndSparseInitializersAreCounted) {
  const auto found = read(model(bytes_of(15, "")) + bytes_of(25, ""));
  ASSERT_TRUE(found) << to_string(found.error());
  EXPECT_EQ(found->left_out, 2u);
}

TEST_F(OnnxTest, DamageIsAnError) {
  EXPECT_THAT(refused(number(1, 10)), HasSubstr("has no graph"));
  EXPECT_THAT(refused(model(varint(5 << 3 | 2) + varint(9) + "short")),
              HasSubstr("longer than what holds it"));
  EXPECT_THAT(refused(model(varint(5 << 3 | 3))), HasSubstr("unknown wire type"));
  EXPECT_THAT(refused(model(varint(1 << 3) + "\x80")), HasSubstr("a number does not end"));
  EXPECT_THAT(refused(model(initializer(tensor(kFloat, {1ull << 63}, "")))),
              HasSubstr("sizes that no tensor has"));
  std::string deep;
  for (int i = 0; i < 20; ++i) deep = node("If", "y", bytes_of(6, deep));
  EXPECT_THAT(refused(model(deep)), HasSubstr("deep in one another"));
}

}  // namespace
}  // namespace samebits
