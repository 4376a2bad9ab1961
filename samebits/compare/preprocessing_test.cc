#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "samebits/compare/config.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> compared_fields(const char* a, const char* b) {
  std::vector<std::string> result;
  for (const FieldDifference& difference : compare_preprocessing(Json::parse(a), Json::parse(b)))
    result.push_back(difference.field + ":" + field_effect_name(difference.effect));
  return result;
}

constexpr const char* kVit = R"({"image_processor_type": "ViTImageProcessor"})";

TEST(ComparePreprocessing, AbsentFieldIsItsClassDefault) {
  EXPECT_THAT(compared_fields(kVit, R"({"image_processor_type": "ViTImageProcessor", "resample": 2,
                                "size": {"height": 224, "width": 224}, "image_mean": [0.5, 0.5, 0.5],
                                "image_std": [0.5, 0.5, 0.5], "do_resize": true, "do_rescale": true,
                                "do_normalize": true, "rescale_factor": 0.00392156862745098})"),
              IsEmpty());
}

TEST(ComparePreprocessing, FeatureExtractorIsTheImageProcessor) {
  EXPECT_THAT(
      compared_fields(kVit, R"({"feature_extractor_type": "ViTFeatureExtractor", "size": 224,
                                "image_mean": 0.5, "image_std": [0.5, 0.5, 0.5], "resample": 2})"),
      IsEmpty());
}

TEST(ComparePreprocessing, MeanMovesOutputs) {
  EXPECT_THAT(
      compared_fields(R"({"image_mean": [0.5, 0.5, 0.5]})", R"({"image_mean": [0.485, 0.5, 0.5]})"),
      ElementsAre("image_mean:outputs"));
}

TEST(ComparePreprocessing, SizeIsSquareUnlessTheClassTakesTheShortestEdge) {
  EXPECT_THAT(compared_fields(R"({"size": 256})", R"({"size": {"width": 256, "height": 256}})"),
              IsEmpty());
  EXPECT_THAT(compared_fields(R"({"size": 256, "image_processor_type": "BitImageProcessor"})",
                              R"({"size": {"shortest_edge": 256}})"),
              IsEmpty());
  EXPECT_THAT(compared_fields(R"({"size": [256, 224]})", R"({"size": 256})"),
              ElementsAre("size.width:outputs"));
  EXPECT_THAT(
      compared_fields(R"({"size": 256, "default_to_square": false})", R"({"size": 256})"),
      ElementsAre("size.height:outputs", "size.shortest_edge:outputs", "size.width:outputs"));
}

TEST(ComparePreprocessing, ResampleIsANumberOrAName) {
  EXPECT_THAT(
      compared_fields(R"({"resample": 3})", R"({"resample": "PILImageResampling.BICUBIC"})"),
      IsEmpty());
  EXPECT_THAT(compared_fields(R"({"resample": 3})", R"({"resample": "bilinear"})"),
              ElementsAre("resample:outputs"));
}

TEST(ComparePreprocessing, FastAndSlowDifferByRounding) {
  EXPECT_THAT(compared_fields(kVit, R"({"image_processor_type": "ViTImageProcessorFast"})"),
              ElementsAre("image_processor_type:numerics"));
  EXPECT_THAT(
      compared_fields(R"({"image_processor_type": "ViTImageProcessor", "do_resize": false})",
                      R"({"image_processor_type": "ViTImageProcessorFast", "do_resize": false})"),
      IsEmpty());
}

TEST(ComparePreprocessing, KnownClassesFollowOneProcedure) {
  EXPECT_THAT(compared_fields(R"({"image_processor_type": "ViTImageProcessor", "resample": 3,
                          "size": 256, "do_center_crop": true, "crop_size": 224})",
                              R"({"image_processor_type": "DeiTImageProcessor"})"),
              IsEmpty());
}

TEST(ComparePreprocessing, UnknownClassIsUnknown) {
  EXPECT_THAT(compared_fields(R"({"image_processor_type": "ConvNextImageProcessor"})",
                              R"({"image_processor_type": "BeitImageProcessor"})"),
              ElementsAre("image_processor_type:unknown"));
}

TEST(ComparePreprocessing, SettingsOfAStepThatIsOffAreNothing) {
  EXPECT_THAT(
      compared_fields(R"({"do_center_crop": false, "crop_size": 224})", R"({"crop_size": 256})"),
      ElementsAre("crop_size.height:nothing", "crop_size.width:nothing"));
  EXPECT_THAT(compared_fields(R"({"do_normalize": false, "image_mean": 0})",
                              R"({"do_normalize": true, "image_mean": 1})"),
              ElementsAre("do_normalize:outputs", "image_mean:outputs"));
}

TEST(ComparePreprocessing, NullSwitchesAStepOffThatTheClassWouldDo) {
  EXPECT_THAT(
      compared_fields(R"({"image_processor_type": "BitImageProcessor", "do_convert_rgb": null})",
                      R"({"image_processor_type": "BitImageProcessor"})"),
      ElementsAre("do_convert_rgb:outputs"));
  EXPECT_THAT(
      compared_fields(R"({"image_processor_type": "ViTImageProcessor", "do_convert_rgb": null})",
                      R"({"image_processor_type": "ViTImageProcessor"})"),
      IsEmpty());
}

TEST(ComparePreprocessing, WhatTheFastClassWritesBesidesIsDefaultOrNothing) {
  EXPECT_THAT(
      compared_fields(kVit, R"({"image_processor_type": "ViTImageProcessor", "crop_size": null,
                        "data_format": "channels_first", "default_to_square": true, "device": null,
                        "disable_grouping": null, "do_center_crop": null, "do_pad": null})"),
      IsEmpty());
}

TEST(ComparePreprocessing, UnknownFieldIsUnknown) {
  EXPECT_THAT(compared_fields(R"({"do_sharpen": true})", "{}"), ElementsAre("do_sharpen:unknown"));
}

TEST(ComparePreprocessing, PaddingOfImagesOfOneSizeIsNothing) {
  constexpr const char* kSiglip =
      R"({"image_processor_type": "SiglipImageProcessor", "do_resize": true,
          "size": {"height": 16, "width": 16}})";
  EXPECT_THAT(compared_fields(kSiglip, R"({"image_processor_type": "SiglipImageProcessor",
                              "do_resize": true, "size": {"height": 16, "width": 16},
                              "do_pad": true, "device": "cpu", "valid_processor_keys": ["size"]})"),
              ElementsAre("do_pad:nothing", "valid_processor_keys:nothing"));
  EXPECT_THAT(
      compared_fields(R"({"image_processor_type": "SiglipImageProcessor", "do_resize": false})",
                      R"({"image_processor_type": "SiglipImageProcessor", "do_resize": false,
                          "do_pad": true})"),
      ElementsAre("do_pad:outputs"));
  EXPECT_THAT(compared_fields(kSiglip, R"({"image_processor_type": "SiglipImageProcessor",
                              "do_resize": true, "size": {"height": 16, "width": 16},
                              "do_pad": true, "pad_size": {"height": 32, "width": 32}})"),
              testing::Contains("do_pad:outputs"));
}

TEST(ComparePreprocessing, WhisperReadsSomeFieldsOfItsFileNever) {
  constexpr const char* kWhisper =
      R"({"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 16000})";
  EXPECT_THAT(
      compared_fields(kWhisper, R"({"feature_extractor_type": "WhisperFeatureExtractor",
                                    "sampling_rate": 16000, "do_normalize": true,
                                    "return_attention_mask": true, "n_fft": 200})"),
      ElementsAre("do_normalize:nothing", "n_fft:unknown", "return_attention_mask:nothing"));
}

}  // namespace
}  // namespace samebits
