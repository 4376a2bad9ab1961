#include "samebits/checkpoint/numpy_objects.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace test_files;  // NOLINT: the vocabulary of these tests

std::string pickled_bytes(const std::string& data) { return "B" + le32(data.size()) + data; }

std::string numpy_dtype(const std::string& code, const std::string& order = "<") {
  return call(global("numpy", "dtype"), {text(code), kFalse, kTrue}) +
         tuple({number(3), text(order), kNothing, kNothing, kNothing, number(-1U), number(-1U),
                number(0)}) +
         "b";
}

/// As numpy 2 writes it; `state`: shape, dtype, order, data.
std::string numpy_array(const std::string& shape, const std::string& type, const std::string& data,
                        const std::string& fortran = kFalse) {
  return call(global("numpy._core.multiarray", "_reconstruct"),
              {global("numpy", "ndarray"), tuple({number(0)}), pickled_bytes("b")}) +
         tuple({number(1), shape, type, fortran, data}) + "b";
}

Result<Checkpoint> opened_pickle(const std::string& value) {
  const Folder folder;
  return open_checkpoint(folder.write("w.pkl", "\x80\x04" + value + "."));
}

Checkpoint opened_with(const std::string& item) {
  const std::string good =
      numpy_array(tuple({number(2)}), numpy_dtype("f4"), pickled_bytes(floats({1, 2})));
  auto checkpoint = opened_pickle(dict({{"good", good}, {"odd", item}}));
  EXPECT_TRUE(checkpoint) << to_string(checkpoint.error());
  return checkpoint ? *std::move(checkpoint) : Checkpoint{};
}

TEST(NumpyObjects, AnArrayIsATensor) {
  const Checkpoint checkpoint =
      opened_with(numpy_array(tuple({number(1), number(2)}), numpy_dtype("i4", ">"),
                              pickled_bytes(std::string("\0\0\0\1\0\0\0\2", 8))));
  ASSERT_THAT(checkpoint.entries, SizeIs(2));
  const TensorView& view = checkpoint.entries[1].view;
  EXPECT_EQ(view.dtype(), DType::int32);
  EXPECT_EQ(view.shape(), (Shape{1, 2}));
  EXPECT_THAT(checkpoint.unread, IsEmpty());
}

TEST(NumpyObjects, ShapesThatTheDataDoesNotFillAreFaults) {
  for (const std::string& shape :
       {tuple({number(0x7fffffff), number(0x7fffffff), number(0x7fffffff)}), tuple({number(3)}),
        tuple({number(-1U)}), tuple({text("2")}), number(2)}) {
    const Checkpoint checkpoint =
        opened_with(numpy_array(shape, numpy_dtype("f4"), pickled_bytes(floats({1, 2}))));
    EXPECT_THAT(checkpoint.entries, SizeIs(1));
    EXPECT_THAT(checkpoint.unread, SizeIs(1));
  }
}

TEST(NumpyObjects, ManyDimensionsAreAFault) {
  std::string shape = "(";
  for (int i = 0; i < 100'000; ++i) shape += number(1);
  EXPECT_THAT(
      opened_with(numpy_array(shape + "t", numpy_dtype("f4"), pickled_bytes(floats({1})))).unread,
      SizeIs(1));
}

TEST(NumpyObjects, TypesAndDataThatAreNoNumbersAreNamed) {
  const std::string shape = tuple({number(2)});
  for (const std::string& item :
       {numpy_array(shape, numpy_dtype("O8", "|"), "](" + number(1) + number(2) + "e"),
        numpy_array(shape, numpy_dtype("V12", "|"), pickled_bytes(std::string(24, 'x'))),
        numpy_array(shape, text("f4"), pickled_bytes(floats({1, 2}))),
        numpy_array(shape, numpy_dtype("f4"), kNothing),
        numpy_array(shape, numpy_dtype(std::string(100'000, 'f')),
                    pickled_bytes(floats({1, 2})))}) {
    const Checkpoint checkpoint = opened_with(item);
    EXPECT_THAT(checkpoint.entries, SizeIs(1));
    ASSERT_THAT(checkpoint.unread, SizeIs(1));
    EXPECT_THAT(checkpoint.unread[0].what, HasSubstr("array"));
  }
}

TEST(NumpyObjects, TextThatIsNoLatin1IsNoData) {
  const auto data = [](const std::string& value) {
    return call(global("_codecs", "encode"), {text(value), text("latin1")});
  };
  const std::string shape = tuple({number(2)});
  const Checkpoint good =
      opened_with(numpy_array(shape, numpy_dtype("u1", "|"), data("\xc3\xbf\x01")));
  ASSERT_THAT(good.entries, SizeIs(2));
  EXPECT_EQ(good.entries[1].view.nbytes(), 2U);
  EXPECT_THAT(opened_with(numpy_array(shape, numpy_dtype("u1", "|"), data("\xe2\x82\xac"))).unread,
              SizeIs(1));
  EXPECT_THAT(opened_with(numpy_array(shape, numpy_dtype("u1", "|"), data("\xc3"))).unread,
              SizeIs(1));
}

TEST(NumpyObjects, ArraysThatShareOneTextAreCopiedAsFarAsTheFileIsLarge) {
  const std::string data =
      call(global("_codecs", "encode"), {text(std::string(100'000, 'x')), text("latin1")});
  std::string value = data + "r" + le32(1) + "0](";
  for (int i = 0; i < 1000; ++i)
    value += numpy_array(tuple({number(100'000)}), numpy_dtype("u1", "|"), "j" + le32(1));
  const auto checkpoint = opened_pickle(value + "e");
  ASSERT_TRUE(checkpoint);
  EXPECT_LT(checkpoint->owned.size(), 20U);
  ASSERT_FALSE(checkpoint->unread.empty());
  EXPECT_EQ(checkpoint->unread[0].code, ErrorCode::limit);
}

TEST(NumpyObjects, OneArrayThatIsNamedAgainAndAgainIsNotCopied) {
  std::string value =
      numpy_array(tuple({number(1)}), numpy_dtype("f4"), pickled_bytes(floats({1}))) + "r" +
      le32(1) + "0](";
  for (int i = 0; i < 100'000; ++i) value += "j" + le32(1);
  const auto checkpoint = opened_pickle(value + "e");
  ASSERT_TRUE(checkpoint);
  EXPECT_LT(checkpoint->entries.size(), 50'000U);
  EXPECT_LT(checkpoint->owned.size(), 50'000U);
}

}  // namespace
}  // namespace samebits
