#include "samebits/family/segment_words.h"

#include <gtest/gtest.h>

#include "samebits/family/name_table.h"

namespace samebits::model {
namespace {

TEST(SegmentWords, KnowsEmbeddingsByWholeWords) {
  for (const char* part : {"embeddings", "patch_embed", "pos_embedding", "embed_tokens", "wte",
                           "cls_token", "conv_proj", "register_tokens"})
    EXPECT_TRUE(names_embeddings(part)) << part;
  for (const char* part : {"text_embedder", "layers", "decoder_embed", "token", ""})
    EXPECT_FALSE(names_embeddings(part)) << part;
}

TEST(SegmentWords, KnowsHeadsAndNoHeadsOfAttention) {
  for (const char* part : {"head", "heads", "lm_head", "head_dist", "classifier",
                           "distillation_classifier", "score", "qa_outputs"})
    EXPECT_TRUE(names_head(part, false)) << part;
  for (const char* part : {"multi_head_attention", "header", "norm", "fc", ""})
    EXPECT_FALSE(names_head(part, false)) << part;
  EXPECT_TRUE(names_head("fc", true));
}

TEST(SegmentWords, KnowsWhatStandsBehindTheBlocks) {
  for (const char* part : {"norm", "layernorm", "ln_f", "fc_norm", "post_layernorm", "pooler"})
    EXPECT_TRUE(names_end(part)) << part;
  for (const char* part : {"pre_layrnorm", "norm_pre", "conv1", "projection", ""})
    EXPECT_FALSE(names_end(part)) << part;
}

// Every classifier of the family's own table is a head, in every library's column.
TEST(SegmentWords, KnowsTheHeadsOfTheFamily) {
  std::size_t seen = 0;
  for (const Library library : kLibraries) {
    for (const ModelClass& each : classes()) {
      if (!has_class(library, each)) continue;
      for (const TensorTemplate& line : templates_of(library, each, each.always | each.optional)) {
        if (line.role != "classifier.weight") continue;
        const std::string_view name = line.name;
        EXPECT_TRUE(names_head(name.substr(0, name.find('.')), true)) << name;
        ++seen;
      }
    }
  }
  EXPECT_GT(seen, 4U);
}

}  // namespace
}  // namespace samebits::model
