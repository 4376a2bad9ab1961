#include "samebits/tensor/tensor.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "samebits/base/limits.h"
#include "samebits/tensor/distinct_views.h"

namespace samebits {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

std::vector<std::uint8_t> counting(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

ErrorCode code_of(const Result<TensorView>& view) {
  EXPECT_FALSE(view);
  return view ? ErrorCode::usage : view.error().code;
}

// The definition: each element's place by its indexes, one byte after the other.
std::vector<std::uint8_t> expected_bytes(const TensorView& view) {
  const std::uint64_t item = itemsize(view.dtype());
  const bool complex = info(view.dtype()).family == DTypeFamily::complex;
  const std::uint64_t part = complex ? item / 2 : item;
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t n = 0; n < view.numel(); ++n) {
    std::uint64_t rest = n, at = view.byte_offset();
    for (std::size_t d = view.shape().size(); d-- > 0;) {
      const auto size = static_cast<std::uint64_t>(view.shape()[d]);
      at += rest % size * static_cast<std::uint64_t>(view.strides()[d]) * item;
      rest /= size;
    }
    for (std::uint64_t b = 0; b < item; ++b) {
      const std::uint64_t in_part = view.big_endian() ? part - 1 - b % part : b % part;
      bytes.push_back(view.storage()[at + b / part * part + in_part]);
    }
  }
  return bytes;
}

void expect_definition(const TensorView& view) {
  std::vector<std::uint8_t> buffer;
  const std::vector<std::uint8_t> expected = expected_bytes(view);
  const Bytes whole = view.row_major_bytes(buffer);
  ASSERT_TRUE(std::ranges::equal(whole, expected)) << shape_text(view.shape());
  const std::uint64_t item = itemsize(view.dtype());
  for (const std::uint64_t step : {std::uint64_t{1}, std::uint64_t{7}, view.numel() / 2 + 1}) {
    for (std::uint64_t first = 0; first < view.numel(); first += step) {
      const std::uint64_t count = std::min(step, view.numel() - first);
      const Bytes range = view.row_major_range(first, count, buffer);
      ASSERT_TRUE(std::ranges::equal(range, Bytes(expected).subspan(first * item, count * item)))
          << shape_text(view.shape()) << " from " << first;
    }
  }
}

TEST(Shape, ElementCount) {
  EXPECT_EQ(element_count({}).value(), 1u);
  EXPECT_EQ(element_count({2, 3}).value(), 6u);
  EXPECT_EQ(element_count({0, kMax, kMax}).value(), 0u);
  EXPECT_EQ(element_count({kMax}).value(), static_cast<std::uint64_t>(kMax));
}
TEST(Shape, ElementCountThatOverflowsIsALimit) {
  EXPECT_EQ(element_count({kMax, 2}).error().code, ErrorCode::limit);
  EXPECT_EQ(element_count({1ll << 62, 4}).error().code, ErrorCode::limit);
}
TEST(Shape, ElementCountOfANegativeSizeIsMalformed) {
  EXPECT_EQ(element_count({-1}).error().code, ErrorCode::malformed);
}
TEST(Shape, ContiguousStridesAreTorchs) {
  EXPECT_EQ(contiguous_strides({}), Strides{});
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Strides{12, 4, 1}));
  EXPECT_EQ(contiguous_strides({2, 0, 4}), (Strides{4, 4, 1}));
}
TEST(Shape, ContiguousStridesOfAnAbsurdEmptyShapeDoNotOverflow) {
  EXPECT_EQ(contiguous_strides({0, kMax, kMax, 2}), (Strides{kMax, kMax, 2, 1}));
}
TEST(Shape, Text) {
  EXPECT_EQ(shape_text({}), "[]");
  EXPECT_EQ(shape_text({2, 3}), "[2, 3]");
}

TEST(TensorView, BorrowsPlainBytes) {
  const auto storage = counting(64);
  const TensorView view = TensorView::make(DType::float32, {2, 3}, {3, 1}, 2, storage).value();
  EXPECT_TRUE(view.is_plain());
  EXPECT_EQ(view.numel(), 6u);
  EXPECT_EQ(view.nbytes(), 24u);
  EXPECT_EQ(view.byte_offset(), 8u);
  std::vector<std::uint8_t> buffer;
  EXPECT_EQ(view.row_major_bytes(buffer).data(), storage.data() + 8);
  EXPECT_EQ(view.row_major_range(2, 3, buffer).data(), storage.data() + 16);
  EXPECT_TRUE(buffer.empty());
  expect_definition(view);
}

TEST(TensorView, ADefaultViewIsEmpty) {
  EXPECT_EQ(TensorView().numel(), 0u);
  EXPECT_TRUE(TensorView().plain_bytes().empty());
}

TEST(TensorView, AScalarHasOneElement) {
  const auto storage = counting(8);
  const TensorView view = TensorView::make(DType::int64, {}, {}, 0, storage).value();
  EXPECT_EQ(view.plain_bytes().size(), 8u);
}

TEST(TensorView, StridesOfSizeOneDoNotMatterForContiguity) {
  const auto storage = counting(24);
  EXPECT_TRUE(TensorView::make(DType::float32, {1, 3, 1}, {77, 1, 99}, 0, storage)->is_plain());
  EXPECT_TRUE(TensorView::make(DType::float32, {1}, {kMax}, 0, storage)->is_plain());
}

TEST(TensorView, AnEmptyTensorIsPlainWhateverItsStridesAndOffset) {
  for (const std::uint64_t offset : {std::uint64_t{0}, ~std::uint64_t{0}}) {
    const auto view = TensorView::make(DType::float32, {2, 0}, {5, 9}, offset, {});
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->is_plain());
    EXPECT_TRUE(view->plain_bytes().empty());
  }
}

TEST(TensorView, StridedTensorsOfEveryItemsizeFollowTheDefinition) {
  const auto storage = counting(16 * 600);
  for (const DType dtype : {DType::int8, DType::float16, DType::float32, DType::float64,
                            DType::complex32, DType::complex64, DType::complex128}) {
    for (const bool big_endian : {false, true}) {
      const auto expect = [&](Shape shape, Strides strides, std::uint64_t offset) {
        const auto view = TensorView::make(dtype, shape, strides, offset, storage, big_endian);
        ASSERT_TRUE(view) << to_string(view.error());
        expect_definition(*view);
      };
      expect({4, 5}, {5, 1}, 3);                // contiguous
      expect({4, 5}, {1, 4}, 0);                // transposed
      expect({40, 5}, {1, 40}, 1);              // transposed, more than one tile of rows
      expect({5, 70}, {1, 5}, 1);               // transposed, more than one tile of columns
      expect({3, 2, 4}, {1, 12, 3}, 2);         // permuted
      expect({2, 3, 4, 5}, {60, 1, 15, 3}, 0);  // channels last
      expect({6}, {7}, 5);                      // a column
      expect({3, 4}, {0, 1}, 0);                // expanded rows
      expect({3, 4}, {1, 0}, 0);                // expanded columns
      expect({2, 1, 3, 1}, {9, 5, 2, 1}, 0);
      expect({4, 4}, {9, 1}, 2);  // a slice
      expect({}, {}, 599);
    }
  }
}

TEST(TensorView, BigEndianHasNoMeaningForSingleBytes) {
  const auto storage = counting(4);
  EXPECT_TRUE(TensorView::make(DType::uint8, {4}, {1}, 0, storage, true)->is_plain());
  EXPECT_FALSE(TensorView::make(DType::float16, {2}, {1}, 0, storage, true)->is_plain());
}

TEST(TensorView, TransposedSwapsTwoDimensions) {
  const auto storage = counting(6);
  const TensorView view = TensorView::make(DType::uint8, {2, 3}, {3, 1}, 0, storage).value();
  const TensorView transposed = view.transposed(0, 1);
  EXPECT_EQ(transposed.shape(), (Shape{3, 2}));
  EXPECT_FALSE(transposed.is_plain());
  std::vector<std::uint8_t> buffer;
  const std::vector<std::uint8_t> expected = {storage[0], storage[3], storage[1],
                                              storage[4], storage[2], storage[5]};
  EXPECT_TRUE(std::ranges::equal(transposed.row_major_bytes(buffer), expected));
  EXPECT_TRUE(transposed.transposed(1, 0).is_plain());
}

TEST(TensorView, AViewMayEndWithItsStorage) {
  const auto storage = counting(24);
  EXPECT_TRUE(TensorView::make(DType::float32, {2, 3}, {3, 1}, 0, storage));
  EXPECT_TRUE(TensorView::make(DType::float32, {2, 2}, {4, 1}, 0, storage));
}

TEST(TensorView, AViewPastItsStorageIsTruncated) {
  const auto storage = counting(24);
  const auto view = TensorView::make(DType::float32, {2, 3}, {3, 1}, 1, storage);
  EXPECT_EQ(code_of(view), ErrorCode::truncated);
  EXPECT_EQ(view.error().expected, "28 bytes");
  EXPECT_EQ(view.error().found, "24");
  EXPECT_EQ(code_of(TensorView::make(DType::float32, {2, 3}, {4, 1}, 0, storage)),
            ErrorCode::truncated);
  EXPECT_EQ(code_of(TensorView::make(DType::uint8, {}, {}, 0, {})), ErrorCode::truncated);
}

TEST(TensorView, OverflowIsALimit) {
  const auto storage = counting(24);
  const auto make = [&](Shape shape, Strides strides, std::uint64_t offset) {
    return TensorView::make(DType::float32, std::move(shape), std::move(strides), offset, storage);
  };
  EXPECT_EQ(code_of(make({kMax, kMax}, {1, 1}, 0)), ErrorCode::limit);
  EXPECT_EQ(code_of(make({kMax}, {1}, 0)), ErrorCode::limit);
  EXPECT_EQ(code_of(make({3, 3, 3}, {kMax, kMax, 1}, 0)), ErrorCode::limit);
  EXPECT_EQ(code_of(make({2}, {kMax}, 0)), ErrorCode::limit);
  EXPECT_EQ(code_of(make({1}, {1}, ~0ull)), ErrorCode::limit);
}

TEST(TensorView, NegativeSizesAndStridesAreMalformed) {
  const auto storage = counting(24);
  EXPECT_EQ(code_of(TensorView::make(DType::uint8, {-1}, {1}, 0, storage)), ErrorCode::malformed);
  EXPECT_EQ(code_of(TensorView::make(DType::uint8, {2}, {-1}, 4, storage)), ErrorCode::malformed);
}

TEST(TensorView, ShapeAndStridesOfDifferentLengthAreMalformed) {
  const auto storage = counting(24);
  EXPECT_EQ(code_of(TensorView::make(DType::uint8, {2}, {1, 1}, 0, storage)), ErrorCode::malformed);
}

TEST(TensorView, TooManyDimensionsAreALimit) {
  const auto storage = counting(1);
  const std::size_t most = kLimits.dimensions;
  EXPECT_TRUE(TensorView::make(DType::uint8, Shape(most, 1), Strides(most, 1), 0, storage));
  EXPECT_EQ(
      code_of(TensorView::make(DType::uint8, Shape(most + 1, 1), Strides(most + 1, 1), 0, storage)),
      ErrorCode::limit);
}

std::vector<std::uint8_t> turned(DType dtype, bool conjugated, bool negated,
                                 const std::vector<std::uint8_t>& stored, bool big_endian = false) {
  const auto count = static_cast<std::int64_t>(stored.size() / itemsize(dtype));
  const auto view = TensorView::make(dtype, {count}, {1}, 0, stored, big_endian)
                        .value()
                        .with_signs(conjugated, negated)
                        .value();
  EXPECT_FALSE(view.is_plain());
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  return {bytes.begin(), bytes.end()};
}

// What torch 2.13.0's resolve_neg() and resolve_conj() give for these bytes.
TEST(TensorView, SignsTurnAsTorchTurnsThem) {
  using Raw = std::vector<std::uint8_t>;
  const Raw bytes = {0, 1, 2, 128, 255, 127, 64, 60};
  const Raw as_integer = {0, 255, 254, 128, 1, 129, 192, 196};
  EXPECT_EQ(turned(DType::float32, false, true, bytes), (Raw{0, 1, 2, 0, 255, 127, 64, 188}));
  EXPECT_EQ(turned(DType::float64, false, true, bytes), (Raw{0, 1, 2, 128, 255, 127, 64, 188}));
  EXPECT_EQ(turned(DType::float16, false, true, bytes), (Raw{0, 129, 2, 0, 255, 255, 64, 188}));
  EXPECT_EQ(turned(DType::int8, false, true, bytes), as_integer);
  EXPECT_EQ(turned(DType::uint8, false, true, bytes), as_integer);
  EXPECT_EQ(turned(DType::int16, false, true, bytes), (Raw{0, 255, 254, 127, 1, 128, 192, 195}));
  EXPECT_EQ(turned(DType::int32, false, true, bytes), (Raw{0, 255, 253, 127, 1, 128, 191, 195}));
  EXPECT_EQ(turned(DType::int64, false, true, bytes), (Raw{0, 255, 253, 127, 0, 128, 191, 195}));
  EXPECT_EQ(turned(DType::complex64, false, true, bytes), (Raw{0, 1, 2, 0, 255, 127, 64, 188}));
  EXPECT_EQ(turned(DType::complex64, true, false, bytes), (Raw{0, 1, 2, 128, 255, 127, 64, 188}));
  EXPECT_EQ(turned(DType::complex64, true, true, bytes), (Raw{0, 1, 2, 0, 255, 127, 64, 60}));
  EXPECT_EQ(turned(DType::float32, false, true, {128, 2, 1, 0, 60, 64, 127, 255}, true),
            (Raw{0, 1, 2, 0, 255, 127, 64, 188}));
}

TEST(TensorView, SignsStayWithOtherViewsOfTheStorage) {
  const auto storage = counting(24);
  const auto view = TensorView::make(DType::int8, {4, 6}, {6, 1}, 0, storage)
                        .value()
                        .with_signs(false, true)
                        .value();
  std::vector<std::uint8_t> buffer;
  EXPECT_EQ(view.over({1}, {1}, 7).value().row_major_bytes(buffer)[0],
            static_cast<std::uint8_t>(-storage[7]));
  EXPECT_EQ(view.transposed(0, 1).row_major_range(4, 1, buffer)[0],
            static_cast<std::uint8_t>(-storage[1]));
  EXPECT_EQ(view.row_major_range(7, 1, buffer)[0], static_cast<std::uint8_t>(-storage[7]));
}

TEST(TensorView, SignsThatTorchDoesNotTurnAreRefused) {
  const auto storage = counting(16);
  const auto view = [&](DType dtype) {
    return TensorView::make(dtype, {1}, {1}, 0, storage).value();
  };
  EXPECT_EQ(code_of(view(DType::float32).with_signs(true, false)), ErrorCode::malformed);
  for (const DType dtype : {DType::boolean, DType::float8_e4m3fn, DType::float8_e5m2fnuz,
                            DType::float8_e8m0fnu, DType::uint16, DType::qint8})
    EXPECT_EQ(code_of(view(dtype).with_signs(false, true)), ErrorCode::unsupported);
}

TEST(DistinctViews, TheSameElementsAreKnownAgainAndOnlyThese) {
  const auto storage = counting(24);
  const auto other = counting(24);
  const auto view = [](DType dtype, Shape shape, Strides strides, std::uint64_t offset,
                       Bytes bytes) {
    return TensorView::make(dtype, std::move(shape), std::move(strides), offset, bytes).value();
  };
  const std::vector<TensorView> views = {
      view(DType::int16, {2, 2}, {2, 1}, 0, storage),
      view(DType::int16, {2, 2}, {2, 1}, 1, storage),
      view(DType::int16, {2, 2}, {1, 2}, 0, storage),
      view(DType::float16, {2, 2}, {2, 1}, 0, storage),
      view(DType::int16, {4}, {1}, 0, storage),
      view(DType::int16, {2, 2}, {2, 1}, 0, other),
      view(DType::int16, {2, 2}, {2, 1}, 0, storage).with_signs(false, true).value()};
  DistinctViews distinct;
  for (std::size_t i = 0; i < views.size(); ++i) EXPECT_EQ(distinct.add(views[i], i), i);
  const std::vector<TensorView> again = views;
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(distinct.add(again[i], 100 + i), i);
    for (std::size_t j = 0; j < views.size(); ++j)
      EXPECT_EQ(same_elements(views[i], again[j]), i == j);
  }
}

TEST(TensorViewDeathTest, ARangeOutsideTheTensorIsAMistakeOfTheCaller) {
  const auto storage = counting(4);
  const TensorView view = TensorView::make(DType::uint8, {4}, {1}, 0, storage).value();
  std::vector<std::uint8_t> buffer;
  EXPECT_DEATH(view.row_major_range(2, 3, buffer), "count <= numel_ - first");
  EXPECT_DEATH(view.row_major_range(5, ~0ull, buffer), "first <= numel_");
}

}  // namespace
}  // namespace samebits
