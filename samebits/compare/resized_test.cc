#include "samebits/compare/resized.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

/// A table whose element at row i, column j is 100 i + j, but for those that are changed.
class Table {
 public:
  explicit Table(Shape shape, std::vector<std::size_t> changed = {}) : shape_(std::move(shape)) {
    const auto columns = static_cast<std::size_t>(shape_.back());
    values_.resize(*element_count(shape_));
    for (std::size_t i = 0; i < values_.size(); ++i)
      values_[i] = static_cast<float>(100 * (i / columns) + i % columns);
    for (const std::size_t i : changed) values_[i] = -1;
  }
  TensorView view() const {
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(values_.data()), values_.size() * 4);
    return *TensorView::make(DType::float32, shape_, contiguous_strides(shape_), 0, bytes);
  }

 private:
  Shape shape_;
  std::vector<float> values_;
};

std::string said(const Table& a, const Table& b) { return common_part_text(a.view(), b.view()); }

TEST(Resized, RowsThatWereAddedLeaveTheOthers) {
  EXPECT_EQ(said(Table({5, 3}), Table({9, 3})), "the first 5 rows are equal bit for bit");
  EXPECT_EQ(said(Table({9, 3}), Table({5, 3})), "the first 5 rows are equal bit for bit");
  EXPECT_EQ(said(Table({1, 3}), Table({5, 3})), "the first row is equal bit for bit");
}

TEST(Resized, RowsThatDifferAreCounted) {
  EXPECT_EQ(said(Table({5, 3}), Table({9, 3}, {4})), "of the first 5 rows 4 are equal bit for bit");
  EXPECT_EQ(said(Table({5, 3}), Table({9, 3}, {3, 6, 9, 12})),
            "only the first row is equal bit for bit");
  EXPECT_EQ(said(Table({2, 3}), Table({9, 3}, {0, 3})), "no row is equal to that of its place");
}

TEST(Resized, OtherDimensionsHaveTheirOwnWords) {
  EXPECT_EQ(said(Table({4, 5}), Table({4, 7})), "the first 5 columns are equal bit for bit");
  EXPECT_EQ(said(Table({1, 5, 3}), Table({1, 9, 3})), "the first 5 rows are equal bit for bit");
  EXPECT_EQ(said(Table({4, 5}), Table({6, 7})), "what both have of it is equal bit for bit");
  EXPECT_EQ(said(Table({4, 5}), Table({6, 7}, {1})), "");
  EXPECT_EQ(said(Table({4, 5}), Table({4, 5})), "");
}

}  // namespace
}  // namespace samebits
