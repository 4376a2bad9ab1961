// Golden values of Pillow 13.0, and what is refused; tests/parity/image_test.py holds all of it
// against Pillow and transformers.
#include <numeric>

#include <gmock/gmock.h>

#include "samebits/base/test_float_mode.h"
#include "samebits/image/decode.h"
#include "samebits/image/orientation.h"
#include "samebits/image/processor.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 5 rows of 4 pixels: i * 37 mod 251.
RgbImage picture() {
  RgbImage image{5, 4, std::vector<std::uint8_t>(60)};
  for (std::size_t i = 0; i < 60; ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  return image;
}

std::vector<int> resized(Filter filter, PassOrder order = PassOrder::pillow13) {
  const RgbImage image = resize(picture(), 2, 3, filter, order);
  return {image.pixels.begin(), image.pixels.end()};
}

TEST(Resize, GivesPillowsPixels) {
  EXPECT_THAT(resized(Filter::nearest), ElementsAre(193, 230, 16, 164, 201, 238, 24, 61, 98, 77,
                                                    114, 151, 48, 85, 122, 159, 196, 233));
  EXPECT_THAT(resized(Filter::lanczos), ElementsAre(113, 136, 91, 147, 110, 148, 114, 84, 121, 111,
                                                    133, 128, 158, 122, 101, 139, 110, 158));
  EXPECT_THAT(resized(Filter::bilinear), ElementsAre(115, 135, 97, 143, 111, 143, 114, 87, 124, 107,
                                                     127, 125, 153, 121, 107, 142, 115, 152));
  EXPECT_THAT(resized(Filter::bicubic), ElementsAre(113, 137, 93, 145, 110, 146, 112, 83, 121, 105,
                                                    129, 128, 156, 121, 103, 142, 113, 156));
  EXPECT_THAT(resized(Filter::box), ElementsAre(109, 146, 100, 151, 104, 141, 108, 61, 98, 48, 85,
                                                122, 152, 126, 101, 130, 167, 204));
  EXPECT_THAT(resized(Filter::hamming), ElementsAre(115, 145, 80, 140, 113, 149, 93, 80, 117, 85,
                                                    115, 132, 151, 124, 101, 144, 132, 169));
}

TEST(Resize, TheOrderOfThePassesIsThatOfTheVersion) {
  const RgbImage image = picture();
  EXPECT_TRUE(height_first(image, 2, 3, PassOrder::pillow13));  // 3 rows fewer, 1 column fewer
  EXPECT_FALSE(
      height_first(image, 3, 3, PassOrder::pillow13));  // 2 rows fewer: not more than twice
  EXPECT_TRUE(height_first(image, 4, 9, PassOrder::pillow13));
  EXPECT_FALSE(height_first(image, 6, 9, PassOrder::pillow13));
  EXPECT_FALSE(height_first(image, 2, 3, PassOrder::pillow12));
}

TEST(Resize, GivesTheSamePixelsInAnyFloatModeOfTheCaller) {
  for (const Filter filter :
       {Filter::lanczos, Filter::bilinear, Filter::bicubic, Filter::hamming}) {
    const RgbImage wanted = resize(picture(), 3, 3, filter, PassOrder::pillow13);
    const OddFloatMode odd;
    EXPECT_EQ(resize(picture(), 3, 3, filter, PassOrder::pillow13).pixels, wanted.pixels);
    EXPECT_TRUE(odd.holds());
  }
}

TEST(Resize, ToItsOwnSizeChangesNothing) {
  EXPECT_EQ(resize(picture(), 5, 4, Filter::lanczos, PassOrder::pillow13).pixels, picture().pixels);
}

// Pixels numbered 0 to 5 in two rows of three.
std::vector<int> turned(int orientation) {
  RgbImage image{2, 3, std::vector<std::uint8_t>(18)};
  for (std::size_t i = 0; i < 18; ++i) image.pixels[i] = static_cast<std::uint8_t>(i / 3);
  const RgbImage out = upright(image, orientation);
  EXPECT_EQ(out.height, orientation < 5 ? 2U : 3U);
  std::vector<int> pixels;
  for (std::size_t i = 0; i < 18; i += 3) pixels.push_back(out.pixels[i]);
  return pixels;
}

TEST(Upright, TurnsAndMirrors) {
  EXPECT_THAT(turned(1), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(turned(2), ElementsAre(2, 1, 0, 5, 4, 3));
  EXPECT_THAT(turned(3), ElementsAre(5, 4, 3, 2, 1, 0));
  EXPECT_THAT(turned(4), ElementsAre(3, 4, 5, 0, 1, 2));
  EXPECT_THAT(turned(5), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(turned(6), ElementsAre(3, 0, 4, 1, 5, 2));
  EXPECT_THAT(turned(7), ElementsAre(5, 2, 4, 1, 3, 0));
  EXPECT_THAT(turned(8), ElementsAre(2, 5, 1, 4, 0, 3));
}

std::vector<std::uint8_t> exif(bool big, std::uint8_t value, std::uint8_t type = 3) {
  std::vector<std::uint8_t> bytes;
  const auto put = [&](std::uint32_t number, int size) {
    for (int i = 0; i < size; ++i)
      bytes.push_back(static_cast<std::uint8_t>(number >> 8 * (big ? size - 1 - i : i)));
  };
  const std::uint8_t mark = big ? 'M' : 'I';
  bytes = {mark, mark};
  put(42, 2);
  put(8, 4);       // where the directory begins
  put(2, 2);       // its entries
  put(0x010F, 2);  // the maker
  put(2, 2);
  put(4, 4);
  put(0, 4);
  put(0x0112, 2);
  put(type, 2);
  put(1, 4);
  put(value, 2);
  put(0, 2);
  return bytes;
}

TEST(ExifOrientation, OfEitherByteOrder) {
  EXPECT_EQ(exif_orientation(exif(true, 6)), 6);
  EXPECT_EQ(exif_orientation(exif(false, 8)), 8);
}

TEST(ExifOrientation, WhatIsNoOrientationIsNone) {
  EXPECT_EQ(exif_orientation(exif(true, 9)), std::nullopt);
  EXPECT_EQ(exif_orientation(exif(true, 0)), std::nullopt);
  EXPECT_EQ(exif_orientation(exif(false, 6, 4)), std::nullopt);
  EXPECT_EQ(exif_orientation({}), std::nullopt);
  const auto whole = exif(false, 6);
  for (std::size_t size = 0; size < whole.size() - 3; ++size)
    EXPECT_EQ(exif_orientation(Bytes(whole).first(size)), std::nullopt);
}

TEST(XmpOrientation, AsAttributeOrElement) {
  EXPECT_EQ(xmp_orientation("<x tiff:Orientation=\"6\"/>"), 6);
  EXPECT_EQ(xmp_orientation("<tiff:Orientation>3</tiff:Orientation>"), 3);
  EXPECT_EQ(xmp_orientation("tiff:Orientation"), std::nullopt);
  EXPECT_EQ(xmp_orientation("tiff:Orientation=\"9\""), std::nullopt);
}

Json config() {
  return {{"image_processor_type", "ViTImageProcessor"},
          {"do_resize", true},
          {"size", {{"height", 4}, {"width", 6}}},
          {"resample", 2},
          {"do_rescale", true},
          {"rescale_factor", 0.00392156862745098},
          {"do_normalize", true},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_std", {0.5, 0.5, 0.5}}};
}

TEST(ImageProcessor, AFieldThatIsAbsentIsNeverGuessed) {
  for (const char* field : {"image_processor_type", "do_resize", "size", "resample", "do_rescale",
                            "rescale_factor", "do_normalize", "image_mean", "image_std"}) {
    Json changed = config();
    changed.erase(field);
    const auto processor = image_processor(changed, "config");
    ASSERT_FALSE(processor) << field;
    EXPECT_THAT(processor.error().what, HasSubstr(field));
  }
}

TEST(ImageProcessor, AFieldOutsideItsRangeIsAnErrorThatNamesIt) {
  const std::pair<const char*, Json> odd[] = {{"size", 65535},
                                              {"size", {{"height", 4}, {"width", -6}}},
                                              {"size", {{"height", 4}, {"width", nullptr}}},
                                              {"size", {4, 6}},
                                              {"crop_size", 65535},
                                              {"crop_size", {{"height", 1e9}, {"width", 1}}},
                                              {"resample", 6},
                                              {"resample", "bicubic"},
                                              {"rescale_factor", "NaN"},
                                              {"image_std", 0},
                                              {"image_mean", {0.5, 0.5}},
                                              {"do_normalize", 1},
                                              {"do_center_crop", "no"}};
  for (const auto& [field, value] : odd) {
    Json changed = config();
    changed["do_center_crop"] = true;
    changed["crop_size"] = 4;
    changed[field] = value;
    const auto processor = image_processor(changed, "config");
    ASSERT_FALSE(processor) << field << value;
    EXPECT_THAT(processor.error().what, HasSubstr(field));
    EXPECT_EQ(processor.error().file, "config");
  }
}

TEST(ImageProcessor, WhatAPictureWouldBecomeIsBounded) {
  Json changed = config();
  changed["image_processor_type"] = "BitImageProcessor";
  changed["size"] = {{"shortest_edge", 4096}};
  // A strip of 2 x 100 becomes 4096 x 204800.
  EXPECT_EQ(process_image(*image_processor(changed, ""), {2, 100, std::vector<std::uint8_t>(600)})
                .error()
                .code,
            ErrorCode::limit);
  changed["size"] = {{"height", 2}, {"width", 4096}};
  auto processor = *image_processor(changed, "");
  processor.order = PassOrder::pillow12;  // which widens 100,000 rows before it drops most of them
  EXPECT_EQ(process_image(processor, {100'000, 2, std::vector<std::uint8_t>(600'000)}).error().code,
            ErrorCode::limit);
}

TEST(ImageProcessor, TheNumbersAreRescaledAndNormalized) {
  const auto processor = image_processor(config(), "config");
  ASSERT_TRUE(processor);
  const auto values = process_image(*processor, {4, 6, std::vector<std::uint8_t>(4 * 6 * 3, 255)});
  ASSERT_TRUE(values);
  EXPECT_EQ(values->values, std::vector<float>(3 * 4 * 6, 1.0F));
}

TEST(ImageProcessor, RowsThatPassForChannelsAreRefused) {
  const auto processor = image_processor(config(), "config");
  EXPECT_FALSE(process_image(*processor, {3, 6, std::vector<std::uint8_t>(3 * 6 * 3)}));
  EXPECT_FALSE(process_image(*processor, {1, 6, std::vector<std::uint8_t>(6 * 3)}));
}

TEST(ImageProcessor, TheShorterEdgeSetsTheScale) {
  Json changed = config();
  changed["image_processor_type"] = "BitImageProcessorFast";
  changed["size"] = {{"shortest_edge", 8}};
  const auto processor = image_processor(changed, "config");
  ASSERT_TRUE(processor);
  const auto wide = process_image(*processor, {10, 15, std::vector<std::uint8_t>(10 * 15 * 3)});
  EXPECT_EQ(std::pair(wide->height, wide->width), std::pair(std::size_t{8}, std::size_t{12}));
  const auto tall = process_image(*processor, {31, 10, std::vector<std::uint8_t>(31 * 10 * 3)});
  EXPECT_EQ(std::pair(tall->height, tall->width), std::pair(std::size_t{24}, std::size_t{8}));
}

TEST(DecodeImage, OtherBytesAreRefused) {
  const std::vector<std::uint8_t> text = {'G', 'I', 'F', '8'};
  EXPECT_EQ(decode_image(text, "x").error().code, ErrorCode::unsupported);
  EXPECT_EQ(decode_image({}, "x").error().code, ErrorCode::unsupported);
  const std::vector<std::uint8_t> jpeg = {0xFF, 0xD8, 0xFF, 0xD9};
  EXPECT_EQ(decode_image(jpeg, "x").error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace samebits
