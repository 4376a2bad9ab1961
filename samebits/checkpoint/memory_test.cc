#include "samebits/checkpoint/memory.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

class MemoryCheckpoint : public testing::Test {
 protected:
  MemoryTensor matrix(const std::string& name) const {
    return {.name = name,
            .dtype = DType::float32,
            .shape = {2, 2},
            .strides = {2, 1},
            .storage = {reinterpret_cast<const std::uint8_t*>(values_.data()), 16}};
  }
  std::array<float, 4> values_{0, 1, 2, 3};
};

TEST_F(MemoryCheckpoint, TensorsAreTheWeightsAndBorrowTheirBytes) {
  const Result<Checkpoint> made = checkpoint_of_tensors("a dict", {matrix("x"), matrix("y")});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->path, "a dict");
  EXPECT_EQ(made->kind, CheckpointKind::state_dict);
  ASSERT_TRUE(made->has_weights());
  ASSERT_EQ(made->weights().weights.size(), 2U);
  const StoredTensor& y = made->entries[1];
  EXPECT_EQ(y.name, "y");
  EXPECT_EQ(y.view.storage().data(), reinterpret_cast<const std::uint8_t*>(values_.data()));
}

TEST_F(MemoryCheckpoint, EqualStoragesAreShared) {
  std::array<float, 4> other{};
  MemoryTensor apart = matrix("z");
  apart.storage = {reinterpret_cast<const std::uint8_t*>(other.data()), 16};
  const Result<Checkpoint> made = checkpoint_of_tensors("", {matrix("x"), apart, matrix("y")});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->entries[0].storage, made->entries[2].storage);
  EXPECT_NE(made->entries[0].storage, made->entries[1].storage);
}

TEST_F(MemoryCheckpoint, BuffersAreKeptApart) {
  MemoryTensor buffer = matrix("position_ids");
  buffer.transient = true;
  const Result<Checkpoint> made = checkpoint_of_tensors("", {matrix("x"), buffer});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->weights().weights.size(), 1U);
  EXPECT_EQ(made->weights().buffers.size(), 1U);
}

TEST_F(MemoryCheckpoint, TensorsOfTheMetaDeviceHaveNoValues) {
  MemoryTensor meta = matrix("x");
  meta.storage = {};
  meta.has_values = false;
  const Result<Checkpoint> made = checkpoint_of_tensors("", {meta});
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->entries[0].readable);
}

TEST_F(MemoryCheckpoint, AnErrorNamesTheTensor) {
  MemoryTensor wrong = matrix("fc.weight");
  wrong.offset = 1;
  const Result<Checkpoint> made = checkpoint_of_tensors("a dict", {wrong});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::truncated);
  EXPECT_EQ(made.error().file, "a dict");
  EXPECT_TRUE(made.error().what.starts_with("fc.weight: "));
}

TEST_F(MemoryCheckpoint, APickleNamesStoragesThatAreBorrowed) {
  const std::string pickle = test_files::pickled(
      test_files::dict({{"x", test_files::tensor("0", 4)}, {"y", test_files::tensor("7", 4)}}));
  const Bytes storage{reinterpret_cast<const std::uint8_t*>(values_.data()), 16};
  const Result<Checkpoint> made =
      checkpoint_of_pickle("a module", {pickle.begin(), pickle.end()}, {{"0", storage}});
  ASSERT_TRUE(made) << to_string(made.error());
  ASSERT_EQ(made->entries.size(), 2U);
  EXPECT_EQ(made->entries[0].view.storage().data(), storage.data());
  EXPECT_TRUE(made->entries[0].readable);
  EXPECT_FALSE(made->entries[1].readable);  // there is no storage 7
  EXPECT_EQ(made->kind, CheckpointKind::state_dict);
}

TEST_F(MemoryCheckpoint, WhatIsNoPickleIsAnError) {
  const Result<Checkpoint> made = checkpoint_of_pickle("a module", {0x80, 0x02, 0x7d}, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().file, "a module");
}

}  // namespace
}  // namespace samebits
