#include "samebits/compare/name_pieces.h"
#include "samebits/compare/name_affinity.h"

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::ElementsAre;

TEST(NamePieces, SplitsAtDots) {
  EXPECT_THAT(split_name("encoder.layer.11.dense.weight"),
              ElementsAre("encoder.", "layer.", "11.", "dense.", "weight"));
}

TEST(NamePieces, SplitsTheNumberOfABlockThatHoldsLayers) {
  EXPECT_THAT(split_name("encoder_layer_3.ln_1.weight"),
              ElementsAre("encoder_layer_", "3.", "ln_1.", "weight"));
}

TEST(NamePieces, SplitsAtSlashesAndKeepsTheNumberOfAClass) {
  EXPECT_THAT(split_name("encoderblock_1/MlpBlock_3/Dense_0/kernel"),
              ElementsAre("encoderblock_", "1/", "MlpBlock_3/", "Dense_0/", "kernel"));
  EXPECT_EQ(template_of("layer_0/x/y"), "layer_{n}/x/y");
}

TEST(NamePieces, JoinedTheyAreTheName) {
  for (const std::string name : {"", ".", "a..b", "w", "1", "a.1", "x_1.y.z", "a.", "_1.b.c"}) {
    std::string joined;
    for (const std::string_view piece : split_name(name)) joined += piece;
    EXPECT_EQ(joined, name);
  }
}

TEST(NamePieces, ATemplateIsFilledWithItsNumbers) {
  EXPECT_EQ(template_of("blocks.3.experts.12.fc1.weight"), "blocks.{n}.experts.{n}.fc1.weight");
  EXPECT_EQ(fill_template("layer.{n}.expert_{n}", {"3", "12"}), "layer.3.expert_12");
  EXPECT_EQ(fill_template("layer.{n}", {"3", "12"}), "");
  EXPECT_EQ(fill_template("layer.{n}", {}), "");
}

std::string hunks_text(std::string_view a, std::string_view b) {
  const Pieces x = split_name(a);
  const Pieces y = split_name(b);
  std::string text;
  for (const Hunk& hunk : differing_hunks(x, y)) {
    text += "[";
    for (std::size_t i = hunk.a_begin; i < hunk.a_end; ++i) text += x[i];
    text += ">";
    for (std::size_t i = hunk.b_begin; i < hunk.b_end; ++i) text += y[i];
    text += "]";
  }
  return text;
}

TEST(DifferingHunks, AreNoneForEqualNames) { EXPECT_EQ(hunks_text("a.b", "a.b"), ""); }

TEST(DifferingHunks, KeepWhatBothHave) {
  EXPECT_EQ(hunks_text("vit.encoder.layer.0.attention.attention.query.weight",
                       "vit.layers.0.attention.q_proj.weight"),
            "[encoder.layer.>layers.][attention.query.>q_proj.]");
}

TEST(DifferingHunks, AreAsFewAsCanBe) {
  EXPECT_EQ(hunks_text("a.x.a.w", "a.w"), "[x.a.>]");
  EXPECT_EQ(hunks_text("w", "model.w"), "[>model.]");
}

TEST(Affinity, KnowsAbbreviations) {
  EXPECT_GT(affinity("attention.query", "attn.q_proj"), affinity("attention.query", "attn.k_proj"));
  EXPECT_GT(affinity("layer.3.fc.weight", "blocks.3.fc.weight"),
            affinity("layer.3.fc.weight", "blocks.4.fc.weight"));
  EXPECT_EQ(affinity("a.b", "a.b"), 1);
  EXPECT_EQ(affinity("a.b", "c.d"), 0);
  EXPECT_EQ(affinity("", ""), 1);
}

TEST(NaturalOrder, CountsNumbersByTheirValues) {
  EXPECT_TRUE(natural_less("layer.2.w", "layer.10.w"));
  EXPECT_FALSE(natural_less("layer.10.w", "layer.2.w"));
  EXPECT_TRUE(natural_less("t2", "t10"));
  EXPECT_TRUE(natural_less("a", "b"));
  EXPECT_TRUE(natural_less("a", "a.b"));
  EXPECT_TRUE(natural_less("a.01", "a.1"));  // else the shorter text decides
  EXPECT_FALSE(natural_less("a.1", "a.1"));
}

TEST(NaturalOrder, KeepsTheOrderOfAModel) {
  EXPECT_THAT(listing_order({"stem", "b.0.w", "b.0.a", "b.1.w", "b.1.a", "a"}),
              ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(listing_order({"b.0.a", "b.0.w", "b.10.a", "b.10.w", "b.2.a", "b.2.w", "c"}),
              ElementsAre(0, 1, 4, 5, 2, 3, 6));
}

}  // namespace
}  // namespace samebits
