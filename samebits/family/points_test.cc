#include "samebits/family/points.h"

#include <gmock/gmock.h>

#include <vector>

#include "samebits/family/name_table.h"

namespace samebits {
namespace {

using model::Library;

/// Of a model with two blocks.
std::vector<std::string> points_in_order(const PointNames& names, bool decoder) {
  std::vector<std::string> points = {names.embeddings};
  const auto add_blocks = [&](const std::string& layers) {
    for (const char* block : {"0", "1"}) {
      for (const std::string& part : {names.norm1, names.attention, names.norm2, names.mlp})
        points.push_back(layers + block + "." + part);
      points.push_back(layers + block);
    }
  };
  add_blocks(names.layers);
  points.push_back(names.norm);
  if (!decoder) return points;
  points.push_back(names.decoder_embed);
  add_blocks(names.decoder_layers);
  points.push_back(names.decoder_norm);
  points.push_back(names.decoder_pred);
  return points;
}

TEST(Points, OfEveryClassThatIsRunHaveTheirPlaceInTheOrderOfThePass) {
  for (const model::ModelClass& each : model::classes()) {
    if (each.pass == model::Pass::other) continue;
    const PointNames names = point_names(each);
    const auto points = points_in_order(names, (each.always & model::kDecoder) != 0);
    for (std::size_t i = 0; i < points.size(); ++i) {
      EXPECT_TRUE(place_of_point(points[i]).is_known()) << each.name << " " << points[i];
      if (i == 0) continue;
      EXPECT_LT(place_of_point(points[i - 1]), place_of_point(points[i]))
          << each.name << " " << points[i];
    }
  }
}

TEST(Points, HeadsStandBehindTheNorm) {
  const PointNames names;
  for (const std::string& head :
       {names.pooler, names.classifier, names.cls_classifier, names.distillation_classifier})
    EXPECT_LT(place_of_point(names.norm), place_of_point(head)) << head;
}

TEST(Points, AreNamedAsTransformersFiveNamesItsModules) {
  const auto names = [](Library library, std::string_view name) {
    return point_names(*model::find_class(library, name));
  };
  EXPECT_EQ(names(Library::transformers4, "DeiTModel").layers, "deit.layers.");
  EXPECT_EQ(names(Library::transformers4, "ViTMAEForPreTraining").norm, "vit.layernorm");
  const PointNames dino = names(Library::transformers5, "Dinov2WithRegistersModel");
  EXPECT_EQ(dino.embeddings, "dinov2_with_registers.embeddings");
  EXPECT_EQ(dino.layers, "dinov2_with_registers.encoder.layer.");
  EXPECT_EQ(dino.norm1, "norm1");
  EXPECT_EQ(dino.norm2, "norm2");
  EXPECT_EQ(names(Library::timm, "VisionTransformer").layers, "vit.layers.");
  EXPECT_EQ(names(Library::torchvision, "VisionTransformer").norm1, "layernorm_before");
}

TEST(Points, OfOneModuleUnderSeveralPrefixesHaveOneName) {
  EXPECT_EQ(canonical_point("module.vit.encoder.layer.3.attention"), "layers.3.attention");
  EXPECT_EQ(canonical_point("model.deit.layers.3.mlp"), "layers.3.mlp");
  EXPECT_EQ(canonical_point("dinov2_with_registers.layernorm"), "layernorm");
  EXPECT_EQ(canonical_point("vit"), "vit");
  EXPECT_EQ(canonical_point("vitality.layernorm"), "vitality.layernorm");
}

}  // namespace
}  // namespace samebits
