#include "samebits/checkpoint/exported_program.h"

#include <cstring>

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace test_files;  // NOLINT: the vocabulary of these tests

Json integers(const std::vector<std::int64_t>& numbers) {
  Json list = Json::array();
  for (const std::int64_t number : numbers) list.push_back({{"as_int", number}});
  return list;
}

constexpr int kFloat32 = 7, kStrided = 7;

/// A description of a float32 tensor as torch.export writes it.
Json payload(const std::string& record, const std::vector<std::int64_t>& shape,
             const std::vector<std::int64_t>& strides, std::int64_t first = 0) {
  const Json meta = {{"dtype", kFloat32},
                     {"sizes", integers(shape)},
                     {"strides", integers(strides)},
                     {"storage_offset", {{"as_int", first}}},
                     {"layout", kStrided},
                     {"requires_grad", true}};
  return {{"path_name", record}, {"is_param", true}, {"use_pickle", false}, {"tensor_meta", meta}};
}

/// An archive with one model.
std::string program(const Json& weights, const Json& constants = Json::object(),
                    const Json& inputs = Json::array()) {
  const Json graph = {{"graph_module", {{"signature", {{"input_specs", inputs}}}}},
                      {"torch_version", "2.13.0"}};
  return zip_builder::archive(
             {zip_builder::stored("m/archive_format", "pt2"),
              zip_builder::stored("m/models/model.json", graph.dump()),
              zip_builder::stored("m/data/weights/model_weights_config.json",
                                  Json{{"config", weights}}.dump()),
              zip_builder::stored("m/data/constants/model_constants_config.json",
                                  Json{{"config", constants}}.dump()),
              zip_builder::stored("m/data/weights/weight_0", floats({1, 2, 3, 4, 5, 6})),
              zip_builder::stored("m/data/constants/tensor_0", floats({7, 8}))})
      .whole();
}

class ExportedProgramTest : public testing::Test {
 protected:
  const Checkpoint& open(const std::string& bytes) {
    auto checkpoint = open_checkpoint(folder_.write("m.pt2", bytes));
    EXPECT_TRUE(checkpoint) << to_string(checkpoint.error());
    if (checkpoint) opened_ = *std::move(checkpoint);
    return opened_;
  }
  static std::vector<float> values(const TensorView& view) {
    std::vector<std::uint8_t> buffer;
    const Bytes bytes = view.row_major_bytes(buffer);
    std::vector<float> numbers(view.numel());
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
  }

  const Folder folder_;
  Checkpoint opened_;
};

TEST_F(ExportedProgramTest, ReadsWeightsByTheirLayouts) {
  const Checkpoint& found = open(program({{"fc.weight", payload("weight_0", {3, 2}, {1, 3})},
                                          {"fc.tail", payload("weight_0", {2}, {1}, 3)}}));
  EXPECT_EQ(found.kind, CheckpointKind::exported);
  EXPECT_EQ(found.producer["torch"], "2.13.0");
  EXPECT_THAT(found.unread, IsEmpty());
  ASSERT_THAT(found.weights().weights, SizeIs(2));
  const StoredTensor& weight = found.entries[0];
  EXPECT_EQ(weight.name, "fc.weight");
  EXPECT_EQ(weight.role, TensorRole::parameter);
  EXPECT_TRUE(weight.requires_grad);
  EXPECT_THAT(values(weight.view), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(values(found.entries[1].view), ElementsAre(4, 5));
  EXPECT_EQ(found.entries[1].storage, weight.storage);
  EXPECT_EQ(found.entries[1].offset, weight.offset + 3 * sizeof(float));
}

TEST_F(ExportedProgramTest, BuffersOfTheGraphAreNoConstants) {
  const Json inputs = {{{"buffer", {{"buffer_name", "shift"}}}}};
  const Checkpoint& found = open(
      program({{"w", payload("weight_0", {6}, {1})}},
              {{"shift", payload("tensor_0", {2}, {1})}, {"lifted", payload("tensor_0", {1}, {1})}},
              inputs));
  EXPECT_THAT(found.weights().weights, SizeIs(1));
  EXPECT_THAT(found.weights().buffers, SizeIs(1));
  ASSERT_THAT(found.entries, SizeIs(3));
  EXPECT_EQ(found.entries[1].role, TensorRole::transient);
  EXPECT_EQ(found.entries[2].role, TensorRole::other);
}

TEST_F(ExportedProgramTest, WhatCannotBeReadIsNamed) {
  Json pickled_one = payload("weight_0", {2}, {1});
  pickled_one["use_pickle"] = true;
  Json sparse = payload("weight_0", {2}, {1});
  sparse["tensor_meta"]["layout"] = 1;
  const Checkpoint& found = open(program({{"a", payload("nowhere", {2}, {1})},
                                          {"b", payload("weight_0", {7}, {1})},
                                          {"c", pickled_one},
                                          {"d", sparse},
                                          {"e", payload("weight_0", {2}, {1}, -1)},
                                          {"f", Json::object()},
                                          {"w", payload("weight_0", {6}, {1})}}));
  const auto says = [&](std::size_t i) { return to_string(found.unread.at(i)); };
  ASSERT_THAT(found.unread, SizeIs(6));
  EXPECT_THAT(says(0), HasSubstr("a: its record nowhere is absent"));
  EXPECT_THAT(says(1), HasSubstr("b: "));
  EXPECT_THAT(says(2), HasSubstr("c: it is stored as a pickle"));
  for (const std::size_t i : {3, 4, 5})
    EXPECT_THAT(says(i), HasSubstr("has no type, size or layout that is read"));
  EXPECT_THAT(found.weights().weights, SizeIs(7));
  EXPECT_FALSE(found.entries[0].readable);
  EXPECT_TRUE(found.entries[6].readable);
}

TEST_F(ExportedProgramTest, TensorsMayNotDescribeMuchMoreThanTheFile) {
  const Checkpoint& found = open(program({{"w", payload("weight_0", {6}, {1})},
                                          {"wide", payload("weight_0", {1 << 20, 64}, {0, 0})}}));
  ASSERT_THAT(found.unread, SizeIs(1));
  EXPECT_THAT(to_string(found.unread[0]), HasSubstr("more than their file holds"));
}

}  // namespace
}  // namespace samebits
