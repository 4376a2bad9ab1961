// Any bytes as a preprocessor_config.json: its checks, its comparison with another, and a small
// picture prepared as it says.
#include <cstddef>
#include <cstdint>

#include "samebits/base/limits.h"
#include "samebits/compare/config.h"
#include "samebits/family/field_ranges.h"
#include "samebits/image/processor.h"

namespace {

using namespace samebits;

constexpr std::size_t kShort = 64;  // sides up to which a picture is prepared here

bool is_short(const std::optional<ImageProcessor::Size>& size) {
  return !size ||
         (size->height <= kShort && size->width <= kShort && size->shortest_edge <= kShort);
}

bool is_in_range(const std::optional<ImageProcessor::Size>& size) {
  return !size || (size->height <= kLimits.image_side && size->width <= kLimits.image_side &&
                   size->shortest_edge <= kLimits.image_side &&
                   (size->shortest_edge > 0 || (size->height > 0 && size->width > 0)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Json> config = parse_json(Bytes(data, size), "fuzz");
  if (!config || !config->is_object()) return 0;
  const std::vector<Error> faults = processor_faults(*config, "fuzz");
  for (const Error& error : faults) SAMEBITS_CHECK(!error.expected.empty());
  static const Json usual = {{"image_processor_type", "ViTImageProcessor"}, {"size", 224}};
  (void)compare_preprocessing(*config, usual);
  SAMEBITS_CHECK(compare_preprocessing(*config, *config).empty());
  const Result<ImageProcessor> processor = image_processor(*config, "fuzz");
  if (!processor) {
    SAMEBITS_CHECK(!processor.error().what.empty());
    return 0;
  }
  SAMEBITS_CHECK(is_in_range(processor->resize) && is_in_range(processor->crop));
  if (!is_short(processor->resize) || !is_short(processor->crop)) return 0;
  (void)process_image(*processor, {5, 7, std::vector<std::uint8_t>(5 * 7 * 3, 100)});
  return 0;
}
