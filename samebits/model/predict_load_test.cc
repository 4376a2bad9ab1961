#include "samebits/model/predict_load.h"

#include <gmock/gmock.h>

#include "samebits/base/json.h"
#include "samebits/model/loading_rules.h"

namespace samebits::model {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Fields small(Parts parts) {
  Fields fields;
  for (const auto& [letter, value] : {std::pair{'D', 32},
                                      {'M', 64},
                                      {'F', 48},
                                      {'C', 3},
                                      {'I', 3},
                                      {'P', 8},
                                      {'W', 8},
                                      {'E', 24},
                                      {'G', 40},
                                      {'V', 192},
                                      {'Q', 192},
                                      {'R', 4}})
    fields[letter] = value;
  fields.layers = 2;
  fields.decoder_layers = 2;
  fields.patches = 4;
  fields.parts = parts;
  return fields;
}

constexpr Parts kUsual = kQkvBias | kClassifier | kClassToken | kPooler | kMaskToken;

/// A checkpoint with the names of `library`, each behind `prefix`.
std::vector<StoredShape> stored(Library library, std::string_view class_name,
                                const std::string& prefix = "", Parts parts = kUsual) {
  const ModelClass& model_class = *find_class(library, class_name);
  std::vector<StoredShape> tensors;
  const auto specs = *tensors_of(library, model_class, fit(small(parts), model_class));
  for (const TensorSpec& spec : specs) tensors.push_back({prefix + spec.name, spec.shape});
  return tensors;
}

/// What save_pretrained of 5.24.0 writes.
std::vector<StoredShape> saved_by_5(std::string_view class_name) {
  auto tensors = stored(Library::transformers5, class_name);
  for (StoredShape& tensor : tensors)
    tensor.name = saved_name_5(*find_class(Library::transformers5, class_name), tensor.name);
  return tensors;
}

LoadOutcome predict(std::string_view target, const std::vector<StoredShape>& tensors, Way way,
                    const Json* config = nullptr) {
  const auto made = make_target(*parse_target(target), config, tensors);
  if (!made) ADD_FAILURE() << to_string(made.error());
  return predict_load(*made, tensors, way);
}

std::vector<std::string> dropped_names(const LoadOutcome& outcome) {
  std::vector<std::string> names;
  for (const Dropped& dropped : outcome.dropped) names.push_back(dropped.name);
  return names;
}

constexpr Way kPretrained = Way::from_pretrained;
constexpr Way kDict = Way::state_dict;

TEST(PredictLoad, MaeDirectoryOf5LeavesTheDecoderRandomIn4) {
  const auto outcome = predict("transformers-4:ViTMAEForPreTraining",
                               saved_by_5("ViTMAEForPreTraining"), kPretrained);
  EXPECT_EQ(outcome.count(TargetState::missing), 32u);  // 16 a block: 128 with the usual eight
  EXPECT_THAT(outcome.dropped, SizeIs(32));
  EXPECT_EQ(outcome.missing_notice, Notice::warning);
  EXPECT_TRUE(outcome.written_for_5_only);
  EXPECT_THAT(outcome.repair.restored, SizeIs(32));
  EXPECT_THAT(outcome.repair.rules,
              ElementsAre(AllOf(Field(&RenameRule::from, "decoder.decoder_encoder.layer."),
                                Field(&RenameRule::to, "decoder.decoder_layers."),
                                Field(&RenameRule::count, 32u))));
}

TEST(PredictLoad, MaeDirectoryOf5IsReadBackBy5) {
  const auto outcome = predict("transformers-5:ViTMAEForPreTraining",
                               saved_by_5("ViTMAEForPreTraining"), kPretrained);
  EXPECT_EQ(outcome.count(TargetState::loaded), outcome.targets.size());
  EXPECT_THAT(outcome.dropped, IsEmpty());
  EXPECT_EQ(outcome.missing_notice, Notice::none);
  EXPECT_THAT(outcome.repair.rules, IsEmpty());
}

TEST(PredictLoad, StateDictOf4LeavesModulesOf5RandomSilently) {
  const auto outcome = predict("transformers-5", stored(Library::transformers4, "ViTModel"), kDict);
  EXPECT_EQ(outcome.count(TargetState::missing), 32u);
  EXPECT_EQ(outcome.missing_notice, Notice::silent);
  EXPECT_EQ(outcome.dropped_notice, Notice::silent);
  EXPECT_FALSE(outcome.written_for_5_only);
  EXPECT_THAT(outcome.repair.restored, SizeIs(32));
}

TEST(PredictLoad, TheOtherWayReadsThem) {
  const auto outcome =
      predict("transformers-5", stored(Library::transformers4, "ViTModel"), kPretrained);
  EXPECT_EQ(outcome.count(TargetState::missing), 0u);
}

TEST(PredictLoad, ALightningPrefixLosesEverything) {
  const auto outcome =
      predict("transformers-5",
              stored(Library::transformers5, "ViTForImageClassification", "model."), kDict);
  EXPECT_EQ(outcome.count(TargetState::missing), outcome.targets.size());
  EXPECT_THAT(outcome.repair.rules,
              ElementsAre(AllOf(Field(&RenameRule::from, "model."), Field(&RenameRule::to, ""))));
}

TEST(PredictLoad, BaseModelInATaskModelLacksOnlyTheHead) {
  const auto tensors = stored(Library::transformers4, "ViTModel");
  for (const char* target :
       {"transformers-4:ViTForImageClassification", "transformers-5:ViTForImageClassification"}) {
    const auto outcome = predict(target, tensors, kPretrained);
    EXPECT_EQ(outcome.count(TargetState::missing), 2u) << target;
    EXPECT_THAT(dropped_names(outcome), Contains("pooler.dense.bias")) << target;
  }
}

TEST(PredictLoad, HeadAloneIsRefusedBy4) {
  const Json config = Json::parse(R"({"model_type": "vit"})");
  const auto outcome = predict("transformers-4:ViTForImageClassification",
                               {{"classifier.bias", {2}}}, kPretrained, &config);
  EXPECT_THAT(outcome.raises, HasSubstr("ValueError"));
}

TEST(PredictLoad, AnotherShapeRaises) {
  auto tensors = stored(Library::transformers4, "ViTForImageClassification");
  const Json config = Json::parse(
      R"({"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64,
          "image_size": 16, "patch_size": 8, "id2label": {"0": "a"}})");
  for (const Way way : {kPretrained, kDict}) {
    const auto outcome = predict("transformers-4:ViTForImageClassification", tensors, way, &config);
    EXPECT_EQ(outcome.count(TargetState::mismatched), 2u);
    EXPECT_THAT(outcome.raises, HasSubstr("2 tensors"));
  }
}

TEST(PredictLoad, FourSpeaksOfDroppedTensorsOnlyForTheClassOfTheConfig) {
  auto tensors = stored(Library::transformers4, "ViTModel", "", kQkvBias | kPooler);
  tensors.push_back({"extra.weight", {1}});
  const char* base =
      R"({"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64,
          "image_size": 16, "patch_size": 8, "architectures": ["%"]})";
  const auto notice = [&](const std::string& architecture) {
    std::string text = base;
    text.replace(text.find('%'), 1, architecture);
    const Json config = Json::parse(text);
    return predict("transformers-4:ViTModel", tensors, kPretrained, &config).dropped_notice;
  };
  EXPECT_EQ(notice("ViTModel"), Notice::warning);
  EXPECT_EQ(notice("ViTForImageClassification"), Notice::silent);
}

TEST(PredictLoad, FusedQkvOfTimmMustBeCutForTransformers) {
  const auto outcome = predict("transformers-5", stored(Library::timm, "VisionTransformer"), kDict);
  EXPECT_EQ(outcome.count(TargetState::missing), outcome.targets.size());
  EXPECT_THAT(outcome.repair.restored, SizeIs(outcome.targets.size()));
  EXPECT_THAT(
      outcome.repair.refits,
      Contains(AllOf(Field(&Refit::from, ElementsAre("blocks.{n}.attn.qkv.weight")),
                     Field(&Refit::to, ElementsAre("vit.layers.{n}.attention.q_proj.weight",
                                                   "vit.layers.{n}.attention.k_proj.weight",
                                                   "vit.layers.{n}.attention.v_proj.weight")),
                     Field(&Refit::count, 2u))));
}

TEST(PredictLoad, QueryKeyAndValueMustBeStackedForTimm) {
  const auto outcome =
      predict("timm", stored(Library::transformers4, "ViTForImageClassification"), kDict);
  EXPECT_THAT(outcome.repair.restored, SizeIs(outcome.targets.size()));
  EXPECT_THAT(outcome.repair.refits,
              Contains(Field(&Refit::to, ElementsAre("blocks.{n}.attn.qkv.bias"))));
}

TEST(PredictLoad, MaeCheckpointsHaveAPlaceInTransformers) {
  const auto outcome =
      predict("transformers-4", stored(Library::mae, "MaskedAutoencoderViT"), kDict);
  EXPECT_EQ(outcome.targets.size(), stored(Library::transformers4, "ViTMAEForPreTraining").size());
  EXPECT_THAT(outcome.repair.restored, SizeIs(outcome.targets.size()));
}

TEST(PredictLoad, TimmLoadsMaeEncodersUnchanged) {
  const auto outcome = predict("timm", stored(Library::mae, "VisionTransformer"), kDict);
  EXPECT_EQ(outcome.count(TargetState::loaded), outcome.targets.size());
}

TEST(PredictLoad, TorchvisionStillReadsItsOldMlpNames) {
  auto tensors = stored(Library::torchvision, "VisionTransformer");
  for (StoredShape& tensor : tensors)
    if (const auto at = tensor.name.find(".mlp.3."); at != std::string::npos)
      tensor.name.replace(at, 7, ".mlp.linear_2.");
  const auto outcome = predict("torchvision", tensors, kDict);
  EXPECT_EQ(outcome.count(TargetState::missing), 0u);
}

TEST(PredictLoad, HalvesOfTheGatedMlpComeFromOneTensor) {
  const auto outcome =
      predict("transformers-5:Dinov2Model",
              stored(Library::transformers4, "Dinov2Model", "", kUsual | kGated), kPretrained);
  EXPECT_EQ(outcome.count(TargetState::loaded), outcome.targets.size());
  EXPECT_THAT(outcome.targets,
              Contains(AllOf(Field(&TargetTensor::from, "encoder.layer.1.mlp.weights_in.weight"),
                             Field(&TargetTensor::part, 1), Field(&TargetTensor::parts, 2),
                             Field(&TargetTensor::found, Shape{48, 32}))));
}

TEST(PredictLoad, FromPretrainedExistsInTransformersOnly) {
  const auto outcome = predict("timm", stored(Library::timm, "VisionTransformer"), kPretrained);
  EXPECT_EQ(outcome.way, kDict);
}

TEST(PredictLoad, FirstOfTwoTensorsForOneTargetWinsIn5) {
  auto tensors = stored(Library::transformers5, "ViTModel");
  tensors.insert(tensors.begin(), {"vit.layernorm.bias", {32}});
  const auto outcome = predict("transformers-5:ViTModel", tensors, kPretrained);
  EXPECT_THAT(outcome.targets, Contains(AllOf(Field(&TargetTensor::from, "layernorm.bias"))));
}

TEST(MakeTarget, TheArchitectureOfTheConfigDecides) {
  const Json config = Json::parse(R"({"model_type": "vit", "architectures": ["ViTModel"]})");
  const auto target = make_target({Library::transformers4, ""}, &config, {});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->model_class->name, "ViTModel");
}

TEST(MakeTarget, TensorsDecideWithoutAConfig) {
  for (const char* name : {"ViTForImageClassification", "ViTMAEForPreTraining", "DeiTModel",
                           "Dinov2WithRegistersForImageClassification", "ViTMAEModel"}) {
    const auto target =
        make_target({Library::transformers5, ""}, nullptr, stored(Library::transformers4, name));
    ASSERT_TRUE(target) << name;
    EXPECT_EQ(target->model_class->name, name);
  }
}

TEST(MakeTarget, ThePoolingOfTimmThatTheTensorsTellIsSaid) {
  for (const bool pooled : {false, true}) {
    const auto target = make_target(
        {Library::timm, ""}, nullptr,
        stored(Library::timm, "VisionTransformer", "", kUsual | (pooled ? kPoolNorm : 0)));
    ASSERT_TRUE(target);
    EXPECT_EQ(target->assumed.size(), pooled ? 1U : 0U);
    EXPECT_THAT(target->assumed, testing::Each(HasSubstr("global_pool='avg'")));
  }
}

TEST(MakeTarget, UnknownTensorsWithoutAConfigAreAnError) {
  const auto target =
      make_target({Library::transformers4, "ViTModel"}, nullptr, {{"fc.weight", {3}}});
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code, ErrorCode::usage);
}

TEST(MakeTarget, UnknownTensorsWithoutAClassAreAnError) {
  const auto target = make_target({Library::timm, ""}, nullptr, {{"fc.weight", {3}}});
  ASSERT_FALSE(target);
  EXPECT_THAT(target.error().hint, HasSubstr("timm:ClassName"));
}

TEST(ParseTarget, ReadsLibraryAndClass) {
  EXPECT_EQ(parse_target("transformers-5:ViTModel")->class_name, "ViTModel");
  EXPECT_EQ(parse_target("mae")->library, Library::mae);
}

TEST(ParseTarget, UnknownLibraryIsAnError) {
  const auto name = parse_target("keras");
  ASSERT_FALSE(name);
  EXPECT_THAT(name.error().expected, HasSubstr("transformers-4"));
}

TEST(ParseTarget, UnknownClassIsAnError) {
  const auto name = parse_target("timm:Swin");
  ASSERT_FALSE(name);
  EXPECT_THAT(name.error().expected, HasSubstr("VisionTransformerDistilled"));
}

}  // namespace
}  // namespace samebits::model
