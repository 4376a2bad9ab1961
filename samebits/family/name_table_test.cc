#include "samebits/family/name_table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace samebits::model {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kLetters = "DMFCIPWXRHKYZQEGV";

Fields base_fields() {
  Fields fields;
  for (const auto& [letter, value] : {std::pair{'D', 768},
                                      {'M', 3072},
                                      {'C', 1000},
                                      {'I', 3},
                                      {'P', 16},
                                      {'W', 16},
                                      {'E', 512},
                                      {'G', 2048},
                                      {'V', 768},
                                      {'R', 4},
                                      {'F', 2048},
                                      {'Q', 768}})
    fields[letter] = value;
  fields.layers = 12;
  fields.decoder_layers = 8;
  fields.patches = 196;
  fields.parts = ~0u & ~(kGated | kPoolNorm | kPreNorm | kQkNorm);
  return fields;
}

std::vector<TensorSpec> table(Library library, std::string_view name) {
  const ModelClass* model_class = find_class(library, name);
  SAMEBITS_CHECK(model_class);
  return *tensors_of(library, *model_class, fit(base_fields(), *model_class));
}

std::vector<std::string> names(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> result;
  for (const TensorSpec& spec : specs) result.push_back(spec.name);
  return result;
}

Shape shape_of(const std::vector<TensorSpec>& specs, std::string_view name) {
  const auto found = std::ranges::find(specs, name, &TensorSpec::name);
  return found == specs.end() ? Shape{-99} : found->shape;
}

TEST(NameTable, MaePreTrainingHas334TensorsInBothReleases) {
  EXPECT_THAT(table(Library::transformers4, "ViTMAEForPreTraining"), SizeIs(334));
  EXPECT_THAT(table(Library::transformers5, "ViTMAEForPreTraining"), SizeIs(334));
}

TEST(NameTable, NamesDifferBetweenReleases) {
  EXPECT_THAT(names(table(Library::transformers4, "ViTForImageClassification")),
              Contains("vit.encoder.layer.11.attention.attention.query.weight"));
  EXPECT_THAT(names(table(Library::transformers5, "ViTForImageClassification")),
              Contains("vit.layers.11.attention.q_proj.weight"));
}

TEST(NameTable, ShapesComeFromTheFields) {
  const auto specs = table(Library::transformers5, "ViTMAEForPreTraining");
  EXPECT_EQ(shape_of(specs, "vit.embeddings.position_embeddings"), (Shape{1, 197, 768}));
  EXPECT_EQ(shape_of(specs, "vit.embeddings.patch_embeddings.projection.weight"),
            (Shape{768, 3, 16, 16}));
  EXPECT_EQ(shape_of(specs, "decoder.decoder_layers.7.mlp.fc1.weight"), (Shape{2048, 512}));
  EXPECT_EQ(shape_of(specs, "decoder.decoder_pred.weight"), (Shape{768, 512}));
}

TEST(NameTable, DistillationTokenHasAPosition) {
  const auto specs = table(Library::transformers4, "DeiTForImageClassificationWithTeacher");
  EXPECT_EQ(shape_of(specs, "deit.embeddings.position_embeddings"), (Shape{1, 198, 768}));
  EXPECT_EQ(shape_of(specs, "distillation_classifier.bias"), Shape{1000});
}

TEST(NameTable, Dinov2ClassifierSeesTwiceTheWidth) {
  const auto specs = table(Library::transformers4, "Dinov2ForImageClassification");
  EXPECT_EQ(shape_of(specs, "classifier.weight"), (Shape{1000, 1536}));
  EXPECT_EQ(shape_of(specs, "dinov2.embeddings.mask_token"), (Shape{1, 768}));
}

TEST(NameTable, FusedQkvIsThreeTimesTheWidth) {
  EXPECT_EQ(shape_of(table(Library::timm, "VisionTransformer"), "blocks.0.attn.qkv.weight"),
            (Shape{2304, 768}));
  EXPECT_EQ(shape_of(table(Library::torchvision, "VisionTransformer"),
                     "encoder.layers.encoder_layer_0.self_attention.in_proj_bias"),
            Shape{2304});
}

TEST(NameTable, LinearProbeHasBuffers) {
  EXPECT_THAT(table(Library::mae, "LinearProbe"),
              Contains(AllOf(Field(&TensorSpec::name, "head.0.num_batches_tracked"),
                             Field(&TensorSpec::shape, Shape{}),
                             Field(&TensorSpec::kind, TensorKind::buffer))));
}

TEST(NameTable, MaePreTrainingHasNamesOfItsOwn) {
  EXPECT_THAT(names(table(Library::mae, "MaskedAutoencoderViT")),
              IsSupersetOf({"mask_token", "decoder_pos_embed", "decoder_embed.weight",
                            "decoder_blocks.7.attn.qkv.bias", "decoder_norm.bias",
                            "decoder_pred.weight", "blocks.11.mlp.fc2.weight", "norm.weight"}));
}

TEST(NameTable, PartsThatAreAbsentHaveNoTensors) {
  Fields fields = base_fields();
  fields.parts = 0;
  const ModelClass& model_class = *find_class(Library::transformers4, "ViTModel");
  const auto specs = *tensors_of(Library::transformers4, model_class, fit(fields, model_class));
  EXPECT_THAT(names(specs), Not(Contains("pooler.dense.weight")));
  EXPECT_THAT(names(specs), Not(Contains("encoder.layer.0.attention.attention.query.bias")));
  EXPECT_THAT(names(specs), Contains("encoder.layer.0.attention.attention.query.weight"));
}

TEST(NameTable, NoTableNamesATensorTwice) {
  for (const Library library : kLibraries)
    for (const ModelClass& model_class : classes()) {
      if (!has_class(library, model_class)) continue;
      const auto specs = tensors_of(library, model_class, fit(base_fields(), model_class));
      ASSERT_TRUE(specs) << model_class.name;
      const auto all = names(*specs);
      EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size()) << model_class.name;
      std::set<std::string> roles;
      for (const TensorSpec& spec : *specs) roles.insert(spec.role);
      EXPECT_EQ(roles.size(), specs->size()) << model_class.name;
    }
}

TEST(NameTable, EveryShapeIsMadeOfKnownLetters) {
  for (const Library library : kLibraries)
    for (const ModelClass& model_class : classes())
      for (const TensorTemplate& line : templates_of(library, model_class, ~0u))
        for (const Size& size : parse_shape(line.shape, line.decoder))
          EXPECT_TRUE(size.letter == '\0' || kLetters.find(size.letter) != std::string_view::npos)
              << line.name << " " << line.shape;
}

TEST(NameTable, UnknownSizesAreMinusOne) {
  Fields fields = base_fields();
  fields['C'] = -1;
  const ModelClass& model_class = *find_class(Library::timm, "VisionTransformer");
  const auto specs = *tensors_of(Library::timm, model_class, fit(fields, model_class));
  EXPECT_EQ(shape_of(specs, "head.weight"), (Shape{-1, 768}));
}

TEST(NameTable, UnknownNumberOfLayersIsAnError) {
  Fields fields = base_fields();
  fields.decoder_layers = -1;
  const ModelClass& model_class = *find_class(Library::mae, "MaskedAutoencoderViT");
  const auto specs = tensors_of(Library::mae, model_class, fit(fields, model_class));
  ASSERT_FALSE(specs);
  EXPECT_EQ(specs.error().code, ErrorCode::inconsistent);
  EXPECT_THAT(specs.error().what, testing::HasSubstr("decoder"));
}

TEST(NameTable, AbsurdNumberOfLayersIsAnError) {
  Fields fields = base_fields();
  fields.layers = 1'000'000'000;
  const ModelClass& model_class = *find_class(Library::transformers5, "ViTModel");
  const auto specs = tensors_of(Library::transformers5, model_class, fit(fields, model_class));
  ASSERT_FALSE(specs);
  EXPECT_EQ(specs.error().code, ErrorCode::limit);
}

TEST(NameTable, SizeThatDoesNotFitIsAnError) {
  Fields fields = base_fields();
  fields['D'] = INT64_MAX / 2;
  const ModelClass& model_class = *find_class(Library::timm, "VisionTransformer");
  const auto specs = tensors_of(Library::timm, model_class, fit(fields, model_class));
  ASSERT_FALSE(specs);
  EXPECT_EQ(specs.error().code, ErrorCode::limit);
}

TEST(NameTable, ClassesBelongToTheirLibraries) {
  EXPECT_EQ(find_class(Library::timm, "ViTModel"), nullptr);
  EXPECT_NE(find_class(Library::timm, "VisionTransformer"),
            find_class(Library::torchvision, "VisionTransformer"));
}

}  // namespace
}  // namespace samebits::model
