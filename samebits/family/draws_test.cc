#include "samebits/family/draws.h"

#include <gmock/gmock.h>

#include <string>

#include "samebits/family/classes.h"

namespace samebits {
namespace {

TEST(Draws, MaskedAutoencodersDrawInEveryPass) {
  ASSERT_NE(find_drawing("vit_mae"), nullptr);
  EXPECT_EQ(find_drawing("vit_mae")->module, "vit.embeddings");
  EXPECT_EQ(find_drawing("vit"), nullptr);
}

TEST(Draws, EveryTypeWithAMaskedPassIsInTheTableAndNoOther) {
  for (const model::ModelClass& each : model::classes()) {
    if (each.model_type.empty()) continue;
    EXPECT_EQ(find_drawing(each.model_type) != nullptr, each.pass == model::Pass::masked)
        << each.name;
  }
}

TEST(Draws, ClassesOfEveryTypeMayDropOut) {
  for (const model::ModelType& type : model::model_types()) {
    const std::string path = "transformers.models." + std::string(type.name) + ".modeling.Layer";
    EXPECT_EQ(flag_use(path), FlagUse::dropout) << path;
  }
}

TEST(Draws, TheLongestBeginningOfAClassPathDecides) {
  EXPECT_EQ(flag_use("torch.nn.modules.linear.Linear"), FlagUse::never);
  EXPECT_EQ(flag_use("torch.nn.modules.dropout.Dropout"), FlagUse::dropout);
  EXPECT_EQ(flag_use("transformers.models.bert.modeling_bert.BertLayer"), std::nullopt);
}

}  // namespace
}  // namespace samebits
