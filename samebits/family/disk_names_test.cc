#include "samebits/family/disk_names.h"

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(DiskNames, AreThoseOfTheType) {
  const DiskNames* mixtral = find_disk_names("mixtral");
  ASSERT_NE(mixtral, nullptr);
  EXPECT_TRUE(is_disk_name(*mixtral, "model.layers.0.block_sparse_moe.experts.1.w1.weight"));
  EXPECT_FALSE(is_disk_name(*mixtral, "model.layers.0.self_attn.q_proj.weight"));
  EXPECT_EQ(find_disk_names("llama"), nullptr);
  EXPECT_EQ(find_disk_names(""), nullptr);
}

TEST(DiskNames, ANumberStandsForOneExpert) {
  const DiskNames* qwen = find_disk_names("qwen2_moe");
  ASSERT_NE(qwen, nullptr);
  EXPECT_TRUE(is_disk_name(*qwen, "model.layers.0.mlp.experts.12.up_proj.weight"));
  EXPECT_FALSE(is_disk_name(*qwen, "model.layers.0.mlp.experts.gate_up_proj"));
  EXPECT_FALSE(is_disk_name(*qwen, "model.layers.0.mlp.shared_expert.up_proj.weight"));
}

TEST(DiskNames, ABeginningStandsAtTheBeginning) {
  const DiskNames* neox = find_disk_names("gpt_neox");
  ASSERT_NE(neox, nullptr);
  EXPECT_TRUE(is_disk_name(*neox, "embed_out.weight"));
  EXPECT_FALSE(is_disk_name(*neox, "head.embed_out.weight"));
}

}  // namespace
}  // namespace samebits
