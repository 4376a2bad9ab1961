#include "samebits/base/json.h"

#include <limits>

#include <gtest/gtest.h>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
Json parsed(std::string_view text) {
  auto json = parse_json(bytes(text), "config.json");
  EXPECT_TRUE(json) << to_string(json.error());
  return json ? *json : Json();
}
Error error_of(std::string_view text, std::uint64_t base = 0) {
  auto json = parse_json(bytes(text), "config.json", base);
  EXPECT_FALSE(json) << text;
  return json ? Error{} : json.error();
}
void expect_malformed(std::string_view text, std::uint64_t offset) {
  const Error error = error_of(text, 1000);
  EXPECT_EQ(error.code, ErrorCode::malformed) << text;
  EXPECT_EQ(error.offset, 1000 + offset) << text << ": " << error.what;
  EXPECT_EQ(error.file, "config.json");
}
std::string nested(std::uint32_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, KeepsTheOrderOfKeys) {
  EXPECT_EQ(parsed(R"( {"b": [1, -2, 2.5, true, null], "a": {"c": "d"}, "": {}} )").dump(),
            R"({"b":[1,-2,2.5,true,null],"a":{"c":"d"},"":{}})");
}

TEST(Json, ReadsAValueThatIsNoObject) { EXPECT_EQ(parsed("\"a\\u00e9\\n\""), "a\xC3\xA9\n"); }

TEST(Json, KeepsIntegersExactly) {
  EXPECT_EQ(parsed("18446744073709551615").get<std::uint64_t>(), 18446744073709551615u);
  EXPECT_EQ(parsed("-9223372036854775808").get<std::int64_t>(),
            std::numeric_limits<std::int64_t>::min());
}

TEST(Json, PythonsNonFiniteNumbersBecomeStrings) {
  EXPECT_EQ(parsed("[NaN, Infinity,-Infinity , 1]").dump(), R"(["NaN","Infinity","-Infinity",1])");
  EXPECT_EQ(parsed("NaN"), "NaN");
  EXPECT_EQ(parsed(R"({"NaN": -Infinity})").dump(), R"({"NaN":"-Infinity"})");
}

TEST(Json, NonFiniteWordsInStringsStay) {
  EXPECT_EQ(parsed(R"(["a\"NaN", "Infinity\\", NaN])").dump(), R"(["a\"NaN","Infinity\\","NaN"])");
}

TEST(Json, NonFiniteWordsElsewhereAreMalformed) {
  expect_malformed("{NaN: 1}", 1);
  expect_malformed("[NaNa]", 4);
  expect_malformed("[1 NaN]", 3);
  expect_malformed("[Inf]", 1);
}

TEST(Json, MalformedNamesTheFirstBadByte) {
  expect_malformed("", 0);
  expect_malformed("{", 1);
  expect_malformed("[1, 2", 5);
  expect_malformed("[1 2]", 3);
  expect_malformed("[1, , 2]", 4);
  expect_malformed("{\"a\" 1}", 5);
  expect_malformed("[truu]", 1);
  expect_malformed("[] x", 3);
  expect_malformed("\"abc", 4);
  expect_malformed("[NaN, NaN x]", 10);
  expect_malformed("[\"a\"b]", 4);
  expect_malformed("{\"a\": 1 \"b\"}", 8);
  expect_malformed("[\"a\\x\"]", 4);
  expect_malformed("[12 34, 5]", 4);
}

TEST(Json, InvalidUtf8IsMalformed) {
  expect_malformed("[\"ab\xFF\"]", 4);
  expect_malformed("\"\xC0\x80\"", 1);
  expect_malformed("\"\xED\xA0\x80\"", 2);
  expect_malformed("\xFF", 0);
}

TEST(Json, AnUnpairedSurrogateIsMalformed) {
  EXPECT_EQ(error_of(R"("\ud800")").code, ErrorCode::malformed);
}

TEST(Json, AZeroByteIsMalformed) {
  expect_malformed(std::string_view("{}\0", 3), 2);
  expect_malformed(std::string_view("{} \0{}", 6), 3);
  expect_malformed(std::string_view("12\0", 3), 2);
  EXPECT_EQ(error_of(std::string_view("[1,\0]", 5)).code, ErrorCode::malformed);
}

TEST(Json, AByteOrderMarkIsMalformed) { expect_malformed("\xEF\xBB\xBF{}", 0); }

TEST(Json, ARepeatedKeyIsInconsistent) {
  const Error error = error_of(R"({"a": 1, "b": {"c": 1, "d": 2, "\u0063": 3}})", 10);
  EXPECT_EQ(error.code, ErrorCode::inconsistent);
  EXPECT_EQ(error.offset, 10u + 31);
  EXPECT_NE(error.what.find("\"c\""), std::string::npos);
}

TEST(Json, NestingIsLimited) {
  EXPECT_TRUE(parse_json(bytes(nested(kLimits.json_depth)), "f"));
  const Error error = error_of(nested(kLimits.json_depth + 1), 7);
  EXPECT_EQ(error.code, ErrorCode::limit);
  EXPECT_EQ(error.offset, 7 + kLimits.json_depth);
}

TEST(Json, SizeIsLimited) {
  const std::string text(kLimits.json_bytes + 1, ' ');
  EXPECT_EQ(error_of(text).code, ErrorCode::limit);
}

TEST(Json, ANumberBeyondTheDoublesIsLimited) {
  EXPECT_EQ(error_of("[1e999]").code, ErrorCode::limit);
  const Error error = error_of(R"({"a": [1], "ratio": -1e999})");
  EXPECT_EQ(error.what, "a number of the JSON is not finite (the last key is \"ratio\")");
  EXPECT_EQ(error.found, "-1e999");
  EXPECT_EQ(error.offset, 20u);
}

TEST(Json, AnErrorDoesNotRepeatALongToken) {
  std::string text(100'000, 'x');
  text.front() = '"';
  EXPECT_LT(error_of(text).what.size(), 300u);
}

TEST(Json, AnObjectWithManyKeysIsReadInReasonableTime) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) text.append("\"").append(std::to_string(i)).append("\":0,");
  text += "\"x\":0}";
  EXPECT_EQ(parsed(text).size(), 300'001u);
}

TEST(Json, TextThatIsNoUtf8IsWrittenAllTheSame) {
  const Json value = {{"a", std::string("x\xFF")}};
  EXPECT_EQ(json_text(value), "{\"a\":\"x\uFFFD\"}");
  EXPECT_EQ(short_json(value), R"({"a":"x\ufffd"})");
}

TEST(Json, AnErrorShowsLargeValuesByTheirSize) {
  EXPECT_EQ(short_json(Json(std::vector<int>(9, 1))), "a list of 9");
  EXPECT_EQ(short_json(Json(std::string(100, 'x'))).size(), 60u);
}

TEST(JsonNumber, NonFiniteNumbersBecomeStrings) {
  EXPECT_EQ(json_number(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(json_number(std::numeric_limits<double>::infinity()), "Infinity");
  EXPECT_EQ(json_number(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(JsonNumber, FiniteNumbersRoundTrip) {
  EXPECT_EQ(json_number(0.1).dump(), "0.1");
  EXPECT_EQ(json_number(1e-12).dump(), "1e-12");
}

}  // namespace
}  // namespace samebits
