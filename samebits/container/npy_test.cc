#include "samebits/container/npy.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

Bytes npy_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string npy(const std::string& header, const std::string& data = "", char major = 1) {
  std::string text = "\x93NUMPY";
  text += major;
  text += '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
    text += static_cast<char>(header.size() >> (8 * i));
  return text + header + data;
}
std::string dict(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }    \n";
}
NpyHeader header_of(const std::string& file) {
  auto header = read_npy_header(npy_bytes(file), "a.npz", 100);
  EXPECT_TRUE(header) << to_string(header.error());
  return header ? *header : NpyHeader{};
}
Error npy_error(const std::string& file) {
  auto header = read_npy_header(npy_bytes(file), "a.npz", 100);
  EXPECT_FALSE(header) << file;
  if (header) return {};
  EXPECT_EQ(header.error().file, "a.npz");
  EXPECT_GE(header.error().offset, 100u);
  return header.error();
}
// The view borrows `file`.
Result<TensorView> view_of(const std::string& file) {
  return npy_view(header_of(file), npy_bytes(file), "a.npz", 100);
}

TEST(Npy, ReadsTheHeaderThatNumpyWrites) {
  const std::string file = npy(dict("'<f4'", "False", "(3, 4)"), std::string(48, 'x'));
  EXPECT_TRUE(looks_like_npy(npy_bytes(file)));
  const NpyHeader header = header_of(file);
  EXPECT_EQ(header.descr, "<f4");
  EXPECT_FALSE(header.fortran_order);
  EXPECT_EQ(header.shape, (Shape{3, 4}));
  EXPECT_EQ(header.data_offset, file.size() - 48);
  EXPECT_FALSE(header.is_object);
}

TEST(Npy, ReadsVersions2And3) {
  for (const char major : {'\2', '\3'}) {
    EXPECT_EQ(header_of(npy(dict("'<f4'", "False", "()"), "", major)).shape, Shape{});
  }
}

TEST(Npy, ReadsTheTuplesThatPythonWrites) {
  EXPECT_EQ(header_of(npy(dict("'<f4'", "False", "(3,)"))).shape, Shape{3});
  EXPECT_EQ(header_of(npy(dict("'<f4'", "False", "(3L, 4L)"))).shape, (Shape{3, 4}));
  EXPECT_EQ(header_of(npy("{\"shape\":(1,2,),\"descr\":\"<f4\",\"fortran_order\":True}")).shape,
            (Shape{1, 2}));
}

TEST(Npy, KeepsTheTextOfAStructuredType) {
  const NpyHeader header =
      header_of(npy(dict("[('a]', '<f4', (2,)), ('b', '|u1')]", "False", "(3,)")));
  EXPECT_EQ(header.descr, "[('a]', '<f4', (2,)), ('b', '|u1')]");
  EXPECT_FALSE(header.is_object);
}

TEST(Npy, FindsObjects) {
  EXPECT_TRUE(header_of(npy(dict("'|O'", "False", "()"))).is_object);
  EXPECT_TRUE(header_of(npy(dict("'O'", "False", "()"))).is_object);
  EXPECT_TRUE(header_of(npy(dict("[('a', '|O')]", "False", "()"))).is_object);
}

TEST(Npy, ViewsItsData) {
  const std::string file = npy(dict("'<i2'", "False", "(2, 2)"), "aabbccdd");
  const auto view = view_of(file);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->dtype(), DType::int16);
  EXPECT_TRUE(view->is_plain());
  EXPECT_EQ(as_text(view->plain_bytes()), "aabbccdd");
}

TEST(Npy, ViewsColumnsFirst) {
  const std::string file = npy(dict("'|u1'", "True", "(2, 3)"), "adbecf");
  const auto view = view_of(file);
  ASSERT_TRUE(view);
  std::vector<std::uint8_t> buffer;
  EXPECT_EQ(as_text(view->row_major_bytes(buffer)), "abcdef");
}

TEST(Npy, ViewsBigEndian) {
  const std::string file = npy(dict("'>u2'", "False", "(2,)"), "abcd");
  const auto view = view_of(file);
  ASSERT_TRUE(view);
  std::vector<std::uint8_t> buffer;
  EXPECT_EQ(as_text(view->row_major_bytes(buffer)), "badc");
}

TEST(Npy, KnowsEveryTypeThatTorchHas) {
  const std::pair<const char*, DType> types[] = {
      {"<f2", DType::float16}, {"<f4", DType::float32},   {"<f8", DType::float64},
      {"|b1", DType::boolean}, {"<c8", DType::complex64}, {"<c16", DType::complex128},
      {"|i1", DType::int8},    {"<i2", DType::int16},     {"<i4", DType::int32},
      {"<i8", DType::int64},   {"|u1", DType::uint8},     {"<u2", DType::uint16},
      {"<u4", DType::uint32},  {"<u8", DType::uint64}};
  for (const auto& [descr, dtype] : types) {
    const auto view =
        view_of(npy(dict("'" + std::string(descr) + "'", "False", "()"), std::string(16, '\0')));
    ASSERT_TRUE(view) << descr;
    EXPECT_EQ(view->dtype(), dtype);
  }
}

TEST(Npy, OtherTypesAreUnsupported) {
  for (const char* descr :
       {"'<U5'", "'|S3'", "'|V2'", "'<M8[ns]'", "'<f16'", "'|O'", "''", "[('a', '<f4')]"}) {
    const auto view = view_of(npy(dict(descr, "False", "(0,)")));
    ASSERT_FALSE(view) << descr;
    EXPECT_EQ(view.error().code, ErrorCode::unsupported);
  }
}

TEST(Npy, MissingDataIsTruncated) {
  const std::string file = npy(dict("'<f4'", "False", "(2,)"), "1234567");
  const auto view = view_of(file);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, ErrorCode::truncated);
  EXPECT_EQ(view.error().file, "a.npz");
  EXPECT_EQ(view.error().offset, 100 + file.size() - 7);
}

TEST(Npy, AHugeShapeIsALimit) {
  const auto view = view_of(npy(dict("'<f4'", "True", "(4611686018427387904, 4)"), "1234"));
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, ErrorCode::limit);
  EXPECT_EQ(npy_error(npy(dict("'<f4'", "False", "(9223372036854775808,)"))).code,
            ErrorCode::limit);
}

TEST(Npy, TooManyDimensionsAreALimit) {
  std::string shape = "(";
  for (std::uint32_t i = 0; i < kLimits.dimensions; ++i) shape += "1,";
  EXPECT_EQ(header_of(npy(dict("'<f4'", "False", shape + ")"))).shape.size(), kLimits.dimensions);
  EXPECT_EQ(npy_error(npy(dict("'<f4'", "False", shape + "1)"))).code, ErrorCode::limit);
}

TEST(Npy, AnotherMagicIsMalformed) {
  EXPECT_FALSE(looks_like_npy(npy_bytes("PK\3\4")));
  EXPECT_EQ(npy_error("not numpy").code, ErrorCode::malformed);
}

TEST(Npy, AnUnknownVersionIsUnsupported) {
  EXPECT_EQ(npy_error(npy(dict("'<f4'", "False", "()"), "", 4)).code, ErrorCode::unsupported);
}

TEST(Npy, ACutHeaderIsTruncated) {
  const std::string file = npy(dict("'<f4'", "False", "()"));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{7}, std::size_t{9}, file.size() - 1}) {
    EXPECT_EQ(npy_error(file.substr(0, size)).code, ErrorCode::truncated) << size;
  }
}

TEST(Npy, AHeaderThatIsNoSuchDictIsMalformed) {
  for (const char* header :
       {"",
        "()",
        "{",
        "{}",
        "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': []}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': ()}",
        "{'descr': [('a', '<f4'), 'fortran_order': False, 'shape': ()}",
        "{'descr': 5, 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x",
        "{'descr",
        "{'descr': [",
        "{'descr' '<f4'}",
        "{5: 1}"}) {
    EXPECT_EQ(npy_error(npy(header)).code, ErrorCode::malformed) << header;
  }
}

}  // namespace
}  // namespace samebits
