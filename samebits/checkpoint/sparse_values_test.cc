#include "samebits/checkpoint/sparse_values.h"

#include <cstring>

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using namespace test_files;  // NOLINT: the vocabulary of these tests

constexpr std::uint64_t kRoom = 1 << 20;

/// int64 numbers, as the elements of a LongStorage.
std::string longs(const std::vector<std::uint64_t>& values) {
  std::string bytes;
  for (const std::uint64_t value : values) bytes += le64(value);
  return bytes;
}

std::string part(const std::string& key, const std::string& type,
                 const std::vector<std::uint32_t>& shape) {
  std::uint32_t numel = 1;
  std::vector<std::string> sizes, strides(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = number(numel);
    numel *= shape[i];
  }
  for (const std::uint32_t size : shape) sizes.push_back(number(size));
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(key, numel, type), number(0), tuple(sizes), tuple(strides), kFalse,
               call(global("collections", "OrderedDict"), {})});
}

std::string layout_of(const std::string& name) {
  return call(global("torch.serialization", "_get_layout"), {text("torch." + name)});
}

std::string coordinates(std::uint32_t dimensions, std::uint32_t count) {
  return call(global("torch._utils", "_rebuild_sparse_tensor"),
              {layout_of("sparse_coo"),
               tuple({part("0", "LongStorage", {dimensions, count}),
                      part("1", "FloatStorage", {count}), tuple({number(2), number(3)}), kTrue})});
}

std::string compressed(const std::string& layout, std::uint32_t lines, std::uint32_t count) {
  return call(global("torch._utils", "_rebuild_sparse_tensor"),
              {layout_of(layout),
               tuple({part("0", "LongStorage", {lines + 1}), part("2", "LongStorage", {count}),
                      part("1", "FloatStorage", {count}), tuple({number(2), number(3)})})});
}

class SparseValues : public testing::Test {
 protected:
  /// The elements of the matrix, or nothing.
  std::vector<float> dense(const std::string& value, const std::vector<std::uint64_t>& ends,
                           const std::vector<std::uint64_t>& others,
                           const std::vector<float>& values, std::uint64_t room = kRoom) {
    checkpoint_ = open_checkpoint(folder_.write(
        "file.pth", torch_zip(dict({{"w", value}}),
                              {{"0", longs(ends)}, {"1", floats(values)}, {"2", longs(others)}})));
    EXPECT_TRUE(checkpoint_->has_value()) << to_string(checkpoint_->error());
    const auto found = sparse_weights(**checkpoint_);
    const auto weight = found.find("w");
    if (weight == found.end()) return {};
    const auto bytes = dense_values(**checkpoint_, weight->second, room);
    if (!bytes) return {};
    std::vector<float> elements(bytes->size() / sizeof(float));
    std::memcpy(elements.data(), bytes->data(), bytes->size());
    return elements;
  }

  Folder folder_;
  std::optional<Result<Checkpoint>> checkpoint_;
};

TEST_F(SparseValues, OfAMatrix) {
  EXPECT_THAT(dense(coordinates(2, 2), {0, 1, 2, 0}, {}, {5, 7}), ElementsAre(0, 0, 5, 7, 0, 0));
  EXPECT_THAT(dense(compressed("sparse_csr", 2, 2), {0, 1, 2}, {2, 0}, {5, 7}),
              ElementsAre(0, 0, 5, 7, 0, 0));
  EXPECT_THAT(dense(compressed("sparse_csc", 3, 2), {0, 1, 1, 2}, {1, 0}, {7, 5}),
              ElementsAre(0, 0, 5, 7, 0, 0));
}

TEST_F(SparseValues, NothingOfPlacesThatAreOutsideOrDoubled) {
  EXPECT_TRUE(dense(coordinates(2, 2), {0, 2, 2, 0}, {}, {5, 7}).empty());
  EXPECT_TRUE(dense(coordinates(2, 2), {0, 0, 2, 2}, {}, {5, 7}).empty());
  EXPECT_TRUE(dense(coordinates(2, 2), {0, ~std::uint64_t{0}, 2, 0}, {}, {5, 7}).empty());
  EXPECT_TRUE(dense(compressed("sparse_csr", 2, 2), {0, 1, 2}, {3, 0}, {5, 7}).empty());
  EXPECT_TRUE(dense(compressed("sparse_csr", 2, 2), {0, 2, 1}, {2, 0}, {5, 7}).empty());
  EXPECT_TRUE(dense(compressed("sparse_csr", 2, 2), {0, 1, 9}, {2, 0}, {5, 7}).empty());
  EXPECT_TRUE(dense(compressed("sparse_csr", 2, 2), {1, 1, 2}, {2, 0}, {5, 7}).empty());
}

TEST_F(SparseValues, NothingOfMoreThanMayBe) {
  EXPECT_FALSE(dense(coordinates(2, 2), {0, 1, 2, 0}, {}, {5, 7}, 24).empty());
  EXPECT_TRUE(dense(coordinates(2, 2), {0, 1, 2, 0}, {}, {5, 7}, 23).empty());
}

TEST_F(SparseValues, TakeThePlaceOfTheParts) {
  dense(coordinates(2, 2), {0, 1, 2, 0}, {}, {5, 7});
  Checkpoint& checkpoint = **checkpoint_;
  const SparseWeight weight = sparse_weights(checkpoint).at("w");
  replace_by_dense(checkpoint, "w", weight, *dense_values(checkpoint, weight, kRoom));
  ASSERT_EQ(checkpoint.weights().weights.size(), 1U);
  const StoredTensor& tensor = checkpoint.entries[checkpoint.weights().weights[0]];
  EXPECT_EQ(tensor.name, "w");
  EXPECT_EQ(tensor.view.shape(), (Shape{2, 3}));
  EXPECT_EQ(layout_before(tensor), "sparse_coo");
  EXPECT_TRUE(sparse_weights(checkpoint).empty());
}

}  // namespace
}  // namespace samebits
