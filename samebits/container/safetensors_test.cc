#include "samebits/container/safetensors.h"

#include <gtest/gtest.h>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

Bytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string length_of(std::uint64_t length) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(length >> (8 * i));
  return text;
}
std::string make(const std::string& header, std::size_t data = 0) {
  return length_of(header.size()) + header + std::string(data, '\0');
}
std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}
// One I32 tensor of 16 bytes, as the reference's tests have it, and what may stand beside it.
std::string one(const std::string& more = "") {
  return "{" + tensor("test", "I32", "[2,2]", "[0,16]") + more + "}";
}

SafetensorsFile opened(const std::string& file) {
  auto result = SafetensorsFile::open(bytes(file), "m.safetensors");
  EXPECT_TRUE(result) << to_string(result.error());
  return result ? *result : SafetensorsFile{};
}
Error error_of(const std::string& file) {
  auto result = SafetensorsFile::open(bytes(file), "m.safetensors");
  EXPECT_FALSE(result) << file;
  if (result) return {};
  EXPECT_EQ(result.error().file, "m.safetensors");
  EXPECT_TRUE(result.error().offset.has_value());
  return result.error();
}
ErrorCode code_of(const std::string& file) { return error_of(file).code; }

TEST(Safetensors, ReadsEntriesWithAbsoluteRanges) {
  const std::string header = "{" + tensor("b", "F32", "[2,1]", "[2,10]") + "," +
                             tensor("a", "BF16", "[]", "[0,2]") +
                             R"(,"__metadata__":{"format":"pt","a":""}})";
  const SafetensorsFile file = opened(make(header, 10));
  EXPECT_EQ(file.header_bytes, header.size());
  ASSERT_EQ(file.entries.size(), 2u);
  const std::uint64_t data = 8 + header.size();
  EXPECT_EQ(file.entries[0].name, "b");
  EXPECT_EQ(file.entries[0].dtype, DType::float32);
  EXPECT_EQ(file.entries[0].shape, (Shape{2, 1}));
  EXPECT_EQ(file.entries[0].begin, data + 2);
  EXPECT_EQ(file.entries[0].end, data + 10);
  EXPECT_EQ(file.entries[1].name, "a");
  EXPECT_EQ(file.entries[1].begin, data);
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(file.metadata, (std::vector<Pair>{{"format", "pt"}, {"a", ""}}));
}

TEST(Safetensors, LooksLikeItself) {
  EXPECT_TRUE(SafetensorsFile::looks_like(bytes(make(one(), 16))));
  EXPECT_TRUE(SafetensorsFile::looks_like(bytes(make(" {}"))));
  EXPECT_FALSE(SafetensorsFile::looks_like(bytes("PK\3\4 and some more")));
  EXPECT_FALSE(SafetensorsFile::looks_like(bytes(length_of(2))));
  EXPECT_FALSE(SafetensorsFile::looks_like(bytes(make("[]"))));
  EXPECT_FALSE(SafetensorsFile::looks_like({}));
}

TEST(Safetensors, AHeaderWithoutTensorsIsValid) { EXPECT_TRUE(opened(make("{}")).entries.empty()); }

TEST(Safetensors, WhiteSpaceAroundTheJsonIsValid) {
  EXPECT_TRUE(opened(make("{}\r \t\n")).entries.empty());
  EXPECT_TRUE(opened(make("\t\n{}\r ")).entries.empty());
}

TEST(Safetensors, AScalarIsValid) {
  EXPECT_TRUE(
      opened(make("{" + tensor("t", "I32", "[]", "[0,4]") + "}", 4)).entries[0].shape.empty());
}

TEST(Safetensors, TensorsWithoutElementsAreValid) {
  const std::string header =
      "{" + tensor("a", "I32", "[2,0]", "[0, 0]") + "," + tensor("b", "I32", "[2]", "[0,8]") + "," +
      tensor("c", "I32", "[0]", "[8,8]") + "," + tensor("d", "I32", "[0]", "[0,0]") + "}";
  EXPECT_EQ(opened(make(header, 8)).entries.size(), 4u);
}

TEST(Safetensors, UnknownFieldsOfATensorAreIgnored) {
  const std::string header =
      R"({"t":{"x":{"dtype":[1,{"shape":null}],"y":true},"dtype":"U8","z":[[]],"shape":[1],)"
      R"("w":-1.5,"data_offsets":[0,1],"x":"again"}})";
  EXPECT_EQ(opened(make(header, 1)).entries.size(), 1u);
}

TEST(Safetensors, NullMetadataIsNone) {
  EXPECT_TRUE(opened(make(R"({"__metadata__":null})")).metadata.empty());
}

TEST(Safetensors, F4HasTorchsShape) {
  const SafetensorsFile file = opened(make("{" + tensor("t", "F4", "[2,8]", "[0,8]") + "}", 8));
  EXPECT_EQ(file.entries[0].dtype, DType::float4_e2m1fn_x2);
  EXPECT_EQ(file.entries[0].shape, (Shape{2, 4}));
}

TEST(Safetensors, AFileShorterThanTheLengthIsTruncated) {
  EXPECT_EQ(code_of(""), ErrorCode::truncated);
  EXPECT_EQ(code_of("\x3C"), ErrorCode::truncated);
}

TEST(Safetensors, AHeaderPastTheEndIsTruncated) {
  EXPECT_EQ(code_of(length_of(60)), ErrorCode::truncated);
  EXPECT_EQ(code_of(length_of(3) + "{}"), ErrorCode::truncated);
}

TEST(Safetensors, ATooLargeHeaderIsALimit) {
  EXPECT_EQ(code_of(length_of(kLimits.safetensors_header + 1) + "{}"), ErrorCode::limit);
  EXPECT_EQ(code_of(std::string("<\0\0\0\0\xff\xff\xff", 8) + one()), ErrorCode::limit);
}

TEST(Safetensors, AHeaderThatIsNotUtf8IsMalformed) {
  EXPECT_EQ(code_of(make("\xff")), ErrorCode::malformed);
  const Error error = error_of(make("{\"\xff\":1}"));
  EXPECT_EQ(error.code, ErrorCode::malformed);
  EXPECT_EQ(error.offset, 10u);
}

TEST(Safetensors, AHeaderThatIsNotJsonIsMalformed) {
  EXPECT_EQ(code_of(make("{")), ErrorCode::malformed);
  EXPECT_EQ(code_of(make("")), ErrorCode::malformed);
  EXPECT_EQ(code_of(make("{}x")), ErrorCode::malformed);
  EXPECT_EQ(code_of(make(std::string("{}\0", 3))), ErrorCode::malformed);
  EXPECT_EQ(code_of(make("\xEF\xBB\xBF{}")), ErrorCode::malformed);
}

TEST(Safetensors, PythonsNonFiniteNumbersAreMalformed) {
  EXPECT_EQ(code_of(make(R"({"t":{"x":NaN,"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1)),
            ErrorCode::malformed);
}

TEST(Safetensors, AHeaderThatIsNoObjectIsMalformed) {
  for (const char* header : {"[]", "1", "null", "\"a\"", "true", "-1", "1.5"}) {
    EXPECT_EQ(code_of(make(header)), ErrorCode::malformed) << header;
  }
}

TEST(Safetensors, MetadataThatIsNotTextIsMalformed) {
  for (const char* metadata :
       {R"({"a":1})", R"({"a":null})", R"({"a":{}})", R"({"a":[]})", "[]", "\"a\"", "0"}) {
    EXPECT_EQ(code_of(make(R"({"__metadata__":)" + std::string(metadata) + "}")),
              ErrorCode::malformed)
        << metadata;
  }
}

TEST(Safetensors, ATensorThatIsNoObjectIsMalformed) {
  for (const char* value : {"null", "[]", "1", "\"F32\"", R"(["U8",[1],[0,1]])"}) {
    EXPECT_EQ(code_of(make(R"({"t":)" + std::string(value) + "}", 1)), ErrorCode::malformed)
        << value;
  }
}

TEST(Safetensors, AMissingFieldIsMalformedAndNamesTheTensor) {
  for (const char* fields :
       {R"("shape":[1],"data_offsets":[0,1])", R"("dtype":"U8","data_offsets":[0,1])",
        R"("dtype":"U8","shape":[1])", ""}) {
    const Error error = error_of(make(R"({"t":{)" + std::string(fields) + "}}", 1));
    EXPECT_EQ(error.code, ErrorCode::malformed) << fields;
    EXPECT_EQ(error.offset, 9u);
    EXPECT_NE(error.what.find("\"t\""), std::string::npos);
  }
}

TEST(Safetensors, AFieldOfTheWrongTypeIsMalformed) {
  const auto with = [](const std::string& dtype, const std::string& shape,
                       const std::string& offsets) {
    return make(R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" +
                    offsets + "}}",
                1);
  };
  const std::string good[] = {"\"U8\"", "[1]", "[0,1]"};
  EXPECT_EQ(opened(with(good[0], good[1], good[2])).entries.size(), 1u);
  for (const char* bad : {"1", "null", "[]", "{}"}) {
    EXPECT_EQ(code_of(with(bad, good[1], good[2])), ErrorCode::malformed) << bad;
  }
  for (const char* bad : {"1", "null", "{}", "\"1\"", "[-1]", "[-0]", "[1.0]", "[1e0]", "[null]",
                          "[[1]]", "[{}]", "[\"1\"]", "[true]", "[100000000000000000000]"}) {
    EXPECT_EQ(code_of(with(good[0], bad, good[2])), ErrorCode::malformed) << bad;
  }
  for (const char* bad : {"1", "null", "{}", "[]", "[0]", "[0,1,2]", "[0,-1]", "[0,1.0]",
                          "[0,null]", "[0,[1]]", "[\"0\",1]"}) {
    EXPECT_EQ(code_of(with(good[0], good[1], bad)), ErrorCode::malformed) << bad;
  }
}

TEST(Safetensors, AnUnknownDtypeIsUnsupported) {
  for (const char* dtype : {"F31", "f32", "", "F6_E2M3", "F6_E3M2"}) {
    EXPECT_EQ(code_of(make("{" + tensor("t", dtype, "[4]", "[0,3]") + "}", 3)),
              ErrorCode::unsupported)
        << dtype;
  }
}

TEST(Safetensors, ShapeAndRangeMustAgree) {
  const Error error = error_of(make("{" + tensor("t", "I32", "[2,2]", "[0, 4]") + "}"));
  EXPECT_EQ(error.code, ErrorCode::inconsistent);
  EXPECT_EQ(error.expected, "16 bytes");
}

TEST(Safetensors, ARangeThatEndsBeforeItBeginsIsInconsistent) {
  EXPECT_EQ(code_of(make("{" + tensor("t", "U8", "[1]", "[1,0]") + "}", 1)),
            ErrorCode::inconsistent);
  EXPECT_EQ(code_of(make("{" + tensor("t", "U8", "[0]", "[1,0]") + "}", 1)),
            ErrorCode::inconsistent);
}

TEST(Safetensors, AShapeThatOverflowsIsALimit) {
  for (const char* shape : {"[2,18446744073709551614]", "[2,9223372036854775807]",
                            "[18446744073709551615]", "[4611686018427387904]"}) {
    EXPECT_EQ(code_of(make("{" + tensor("t", "I32", shape, "[0,16]") + "}", 16)), ErrorCode::limit)
        << shape;
  }
}

TEST(Safetensors, OverlappingTensorsAreInconsistent) {
  const std::string header =
      "{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("b", "U8", "[4]", "[2,6]") + "}";
  const Error error = error_of(make(header, 6));
  EXPECT_EQ(error.code, ErrorCode::inconsistent);
  EXPECT_EQ(error.what, "the tensor \"b\" overlaps another");
  EXPECT_EQ(error.offset, 8 + header.find("\"b\""));
}

TEST(Safetensors, ManyTensorsOfOneRangeAreInconsistent) {
  std::string header = "{" + tensor("w", "F32", "[2,2]", "[0,16]");
  for (char c = '0'; c <= '9'; ++c) {
    header += "," + tensor(std::string("w") + c, "F32", "[2,2]", "[0,16]");
  }
  EXPECT_EQ(code_of(make(header + "}", 16)), ErrorCode::inconsistent);
}

TEST(Safetensors, AGapBetweenTensorsIsInconsistent) {
  const std::string header =
      "{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("b", "U8", "[4]", "[6,10]") + "}";
  EXPECT_EQ(error_of(make(header, 10)).what, "the tensor \"b\" leaves a gap before it");
}

TEST(Safetensors, AGapBeforeTheFirstTensorIsInconsistent) {
  EXPECT_EQ(code_of(make("{" + tensor("a", "U8", "[4]", "[1,5]") + "}", 5)),
            ErrorCode::inconsistent);
}

TEST(Safetensors, BytesAfterTheLastTensorAreMalformed) {
  const Error error = error_of(make(one(), 16) + "extra_bogus_data_for_polyglot_file");
  EXPECT_EQ(error.code, ErrorCode::malformed);
  EXPECT_EQ(error.offset, 8 + one().size() + 16);
}

TEST(Safetensors, MissingDataIsTruncated) {
  EXPECT_EQ(code_of(make(one(), 14)), ErrorCode::truncated);
  EXPECT_EQ(code_of(make(one())), ErrorCode::truncated);
}

TEST(Safetensors, ARepeatedTensorNameIsInconsistent) {
  const std::string header = one("," + tensor("test", "I32", "[2,2]", "[0,16]"));
  const Error error = error_of(make(header, 16));
  EXPECT_EQ(error.code, ErrorCode::inconsistent);
  EXPECT_EQ(error.offset, 8 + header.rfind("\"test\""));
}

TEST(Safetensors, ARepeatedMetadataKeyIsInconsistent) {
  EXPECT_EQ(code_of(make(R"({"__metadata__":{"a":"1","\u0061":"2"}})")), ErrorCode::inconsistent);
}

TEST(Safetensors, RepeatedMetadataIsInconsistent) {
  EXPECT_EQ(code_of(make(R"({"__metadata__":{},"__metadata__":{}})")), ErrorCode::inconsistent);
  EXPECT_EQ(code_of(make(R"({"__metadata__":null,"__metadata__":{}})")), ErrorCode::inconsistent);
}

TEST(Safetensors, ARepeatedFieldIsInconsistent) {
  EXPECT_EQ(
      code_of(make(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"shape":[1]}})", 1)),
      ErrorCode::inconsistent);
}

TEST(Safetensors, F4ThatEndsInsideAByteIsMalformed) {
  EXPECT_EQ(code_of(make("{" + tensor("t", "F4", "[1,3]", "[0,1]") + "}", 1)),
            ErrorCode::malformed);
}

TEST(Safetensors, F4WithAnOddLastDimensionIsUnsupported) {
  EXPECT_EQ(code_of(make("{" + tensor("t", "F4", "[2,3]", "[0,3]") + "}", 3)),
            ErrorCode::unsupported);
}

TEST(Safetensors, TooManyDimensionsAreALimit) {
  std::string shape = "[1";
  for (std::uint32_t i = 1; i < kLimits.dimensions; ++i) shape += ",1";
  EXPECT_EQ(opened(make("{" + tensor("t", "U8", shape + "]", "[0,1]") + "}", 1)).entries.size(),
            1u);
  EXPECT_EQ(code_of(make("{" + tensor("t", "U8", shape + ",1]", "[0,1]") + "}", 1)),
            ErrorCode::limit);
}

TEST(Safetensors, NestingIsLimitedAsInTheReference) {
  const auto nested = [](std::size_t depth) {  // beyond the header and the tensor
    return make(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":)" +
                    std::string(depth, '[') + std::string(depth, ']') + "}}",
                1);
  };
  EXPECT_EQ(opened(nested(kLimits.safetensors_depth - 2)).entries.size(), 1u);
  EXPECT_EQ(code_of(nested(kLimits.safetensors_depth - 1)), ErrorCode::limit);
}

}  // namespace
}  // namespace samebits
