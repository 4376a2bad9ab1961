#include "samebits/family/classes.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace samebits::model {
namespace {

TEST(ModelTypes, EveryClassOfTransformersHasItsTypeAndTheTypesBase) {
  for (const ModelClass& each : classes()) {
    if (each.model_type.empty()) continue;
    const ModelType* type = find_model_type(each.model_type);
    ASSERT_NE(type, nullptr) << each.name;
    EXPECT_EQ(each.base, type->base) << each.name;
    EXPECT_TRUE(each.name.starts_with(type->classes)) << each.name;
  }
}

TEST(ModelTypes, EveryTypeHasAClass) {
  for (const ModelType& type : model_types()) {
    EXPECT_TRUE(std::ranges::any_of(classes(), [&](const ModelClass& each) {
      return each.model_type == type.name;
    })) << type.name;
  }
}

TEST(ModelTypes, AClassIsKnownByTheFolderOfItsPath) {
  EXPECT_EQ(type_of_class("transformers.models.vit.modeling_vit.ViTLayer")->name, "vit");
  EXPECT_EQ(type_of_class("transformers.models.vit_mae.modeling_vit_mae.ViTMAEModel")->name,
            "vit_mae");
  EXPECT_EQ(type_of_class("transformers.models.bert.modeling_bert.BertModel"), nullptr);
  EXPECT_EQ(type_of_class("transformers.models.vit"), nullptr);
  EXPECT_EQ(type_of_class("my.models.vit.ViTLayer"), nullptr);
}

TEST(ModelTypes, AreListedInWords) {
  EXPECT_THAT(model_type_names(), testing::StartsWith("vit, vit_mae, "));
  EXPECT_THAT(model_type_names(),
              testing::EndsWith(" or " + std::string(model_types().back().name)));
}

TEST(Classes, EncodersOfMaskedAutoencodersByNameAndByType) {
  EXPECT_EQ(encoder_class("ViTMAEForPreTraining", ""), "ViTMAEModel");
  EXPECT_EQ(encoder_class("", "vit_mae"), "ViTMAEModel");
  EXPECT_EQ(encoder_class("ViTForImageClassification", "vit_mae"), "");
  EXPECT_EQ(encoder_class("", "vit"), "");
}

TEST(Libraries, WhatTheyImplyWithoutAConfig) {
  EXPECT_EQ(implied_eps(Library::timm), 1e-6);
  EXPECT_EQ(implied_eps(Library::mae), 1e-6);
  EXPECT_EQ(implied_eps(Library::torchvision), 1e-6);
  EXPECT_EQ(implied_eps(Library::transformers4), std::nullopt);
  EXPECT_EQ(implied_eps(Library::transformers5), std::nullopt);
}

TEST(Libraries, HowTheyResizePositions) {
  const auto how = [](Library library, std::string_view name) {
    return resampling_of(library, *find_class(library, name));
  };
  EXPECT_EQ(how(Library::transformers5, "ViTModel"), Resampling::bicubic);
  EXPECT_EQ(how(Library::transformers4, "Dinov2Model"), Resampling::bicubic);
  EXPECT_EQ(how(Library::transformers5, "Dinov2WithRegistersModel"), Resampling::bicubic_antialias);
  EXPECT_EQ(how(Library::timm, "VisionTransformer"), Resampling::bicubic_antialias);
  EXPECT_EQ(how(Library::mae, "MaskedAutoencoderViT"), Resampling::refused);
  EXPECT_EQ(how(Library::torchvision, "VisionTransformer"), Resampling::refused);
}

}  // namespace
}  // namespace samebits::model
