// Names that classes of transformers tie, and configs that say so.
#include "samebits/model/tied_names.h"

#include <gtest/gtest.h>

namespace samebits::model {
namespace {

TEST(TiedNames, AnOutputLayerIsTiedToItsEmbeddings) {
  EXPECT_TRUE(are_tied_names("lm_head.weight", "transformer.wte.weight"));
  EXPECT_TRUE(
      are_tied_names("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"));
  EXPECT_TRUE(are_tied_names("cls.predictions.bias", "cls.predictions.decoder.bias"));
}

TEST(TiedNames, WhatStandsInFrontStandsInFrontOfBoth) {
  EXPECT_TRUE(are_tied_names("m.lm_head.weight", "m.transformer.wte.weight"));
  EXPECT_FALSE(are_tied_names("a.lm_head.weight", "b.transformer.wte.weight"));
  EXPECT_FALSE(are_tied_names("my_lm_head.weight", "transformer.wte.weight"));
}

TEST(TiedNames, OtherLayersAreNot) {
  EXPECT_FALSE(are_tied_names("lm_head.weight", "transformer.wpe.weight"));
  EXPECT_FALSE(are_tied_names("lm_head.weight", "lm_head.weight"));
  EXPECT_FALSE(
      are_tied_names("cls.predictions.decoder.bias", "cls.predictions.transform.dense.bias"));
}

TEST(TiedNames, SeveralNamesHangTogether) {
  EXPECT_TRUE(are_tied_names({"encoder.embed_tokens.weight", "decoder.embed_tokens.weight",
                              "lm_head.weight", "shared.weight"}));
  EXPECT_FALSE(are_tied_names({"shared.weight", "lm_head.weight", "final_norm.weight"}));
  EXPECT_FALSE(are_tied_names(std::vector<std::string>{"shared.weight"}));
}

TEST(TiedNames, TheConfigDecides) {
  EXPECT_TRUE(ties_word_embeddings({{"tie_word_embeddings", true}}));
  EXPECT_FALSE(ties_word_embeddings({{"tie_word_embeddings", false}, {"model_type", "gpt2"}}));
  EXPECT_FALSE(ties_word_embeddings({{"tie_word_embeddings", "yes"}, {"model_type", "gpt2"}}));
  EXPECT_TRUE(ties_word_embeddings({{"model_type", "gpt2"}}));
  EXPECT_FALSE(ties_word_embeddings({{"model_type", "llama"}}));
  EXPECT_FALSE(ties_word_embeddings({{"model_type", "qwen2_vl"}}));
  EXPECT_FALSE(ties_word_embeddings(Json()));
}

TEST(TiedNames, ATextConfigThatDoesNotTieCounts) {
  EXPECT_FALSE(ties_word_embeddings(
      {{"model_type", "gemma3"}, {"text_config", {{"tie_word_embeddings", false}}}}));
}

TEST(TiedNames, T5HasOneTableOfEmbeddingsWhateverItsConfigSays) {
  const Json untied = {{"model_type", "mt5"}, {"tie_word_embeddings", false}};
  EXPECT_TRUE(config_ties(untied, {"shared.weight", "encoder.embed_tokens.weight"}));
  EXPECT_FALSE(config_ties(untied, {"shared.weight", "lm_head.weight"}));
  const Json bart = {{"model_type", "bart"}, {"tie_word_embeddings", false}};
  EXPECT_FALSE(config_ties(bart, {"model.shared.weight", "model.encoder.embed_tokens.weight"}));
}

TEST(TiedNames, ADecoderInAPairOfModelsTiesByItsOwnConfig) {
  Json pair = {{"model_type", "vision-encoder-decoder"},
               {"tie_word_embeddings", false},
               {"decoder", {{"model_type", "gpt2"}}}};
  const std::vector<std::string> names{"decoder.lm_head.weight", "decoder.transformer.wte.weight"};
  EXPECT_TRUE(config_ties(pair, names));
  EXPECT_FALSE(config_ties(pair, {"lm_head.weight", "transformer.wte.weight"}));
  pair["decoder"]["tie_word_embeddings"] = false;
  EXPECT_FALSE(config_ties(pair, names));
}

TEST(TiedNames, ATextModelInAnotherTiesByItsOwnConfig) {
  const Json config = {{"model_type", "blip-2"}, {"text_config", {{"model_type", "opt"}}}};
  EXPECT_TRUE(config_ties(config, {"language_model.model.decoder.embed_tokens.weight",
                                   "language_model.lm_head.weight"}));
  EXPECT_TRUE(config_ties(config, {"model.language_model.model.decoder.embed_tokens.weight",
                                   "model.language_model.lm_head.weight"}));
  EXPECT_FALSE(config_ties(config, {"qformer.embed_tokens.weight", "qformer.lm_head.weight"}));
  const Json musicgen = {{"model_type", "musicgen"}, {"text_encoder", {{"model_type", "t5"}}}};
  EXPECT_TRUE(config_ties(
      musicgen, {"text_encoder.shared.weight", "text_encoder.encoder.embed_tokens.weight"}));
}

TEST(TiedNames, TheOutputLayerIsFilledFromTheEmbeddings) {
  EXPECT_TRUE(is_tied_to("lm_head.weight", "transformer.wte.weight"));
  EXPECT_FALSE(is_tied_to("transformer.wte.weight", "lm_head.weight"));
}

TEST(TiedNames, HeadsOfAllLayersMayBeOneAndBlocksMayNot) {
  EXPECT_TRUE(are_in_a_tied_list({"class_embed.0.bias", "class_embed.5.bias"}));
  EXPECT_TRUE(are_in_a_tied_list(
      {"bbox_embed.0.layers.1.bias", "model.decoder.bbox_embed.3.layers.1.bias"}));
  EXPECT_TRUE(are_in_a_tied_list(
      {"layers.1.shared_transf.mlp.weight", "layers.7.shared_transf.mlp.weight"}));
  EXPECT_FALSE(are_in_a_tied_list({"class_embed.0.bias", "class_embed.1.weight"}));
  EXPECT_FALSE(are_in_a_tied_list({"layers.0.mlp.weight", "layers.1.mlp.weight"}));
  EXPECT_FALSE(are_in_a_tied_list({"class_embed.0.bias"}));
}

}  // namespace
}  // namespace samebits::model
