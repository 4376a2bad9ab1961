#include "samebits/family/buffer_names.h"

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(BufferNames, AreStatisticsCountersAndTables) {
  EXPECT_TRUE(names_a_buffer("layer1.0.bn1.running_mean", 1));
  EXPECT_TRUE(names_a_buffer("layer1.0.bn1.num_batches_tracked", 0));
  EXPECT_TRUE(names_a_buffer("n_averaged", 0));
  EXPECT_TRUE(names_a_buffer("bert.embeddings.position_ids", 2));
}

TEST(BufferNames, AMaskIsCalledBias) {
  EXPECT_TRUE(names_a_buffer("h.0.attn.bias", 4));
  EXPECT_FALSE(names_a_buffer("h.0.attn.c_attn.bias", 1));
}

TEST(BufferNames, AreNoParameters) {
  EXPECT_FALSE(names_a_buffer("fc.weight", 2));
  EXPECT_FALSE(names_a_buffer("relative_position_bias_table", 2));
}

}  // namespace
}  // namespace samebits
