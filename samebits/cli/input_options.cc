#include "samebits/cli/input_options.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/cli/options.h"

namespace samebits {
namespace {

Error no_shape(const std::string& randn) {
  return {.code = ErrorCode::usage,
          .what = "--randn " + randn.substr(0, 60) + " is no shape that can be run",
          .expected = fmt::format("four sizes of 1 or more, such as 8x3x224x224, and not more than "
                                  "{} numbers",
                                  kLimits.input_values)};
}

/// "8x3x224x224"
Result<std::vector<std::size_t>> sizes_of(const std::string& randn) {
  std::vector<std::size_t> sizes;
  std::uint64_t left = kLimits.input_values;
  for (std::size_t begin = 0; begin <= randn.size();) {
    const std::size_t end = std::min(randn.find('x', begin), randn.size());
    std::size_t size = 0;
    const auto [stop, error] = std::from_chars(randn.data() + begin, randn.data() + end, size);
    if (error != std::errc() || stop != randn.data() + end || size == 0 || size > left)
      return fail(no_shape(randn));
    left /= size;
    sizes.push_back(size);
    begin = end + 1;
  }
  if (sizes.size() != 4) return fail(no_shape(randn));
  return sizes;
}

}  // namespace

Result<InputRequest> InputOptions::request() const {
  InputRequest request = chosen;
  if (randn) {
    SAMEBITS_TRY(request.randn, sizes_of(*randn));
  }
  request.pillow = pillow == 12 ? PassOrder::pillow12 : PassOrder::pillow13;
  return request;
}

std::vector<std::string> InputOptions::files() const {
  std::vector<std::string> files = chosen.images;
  files.insert(files.end(), {chosen.processor_path, chosen.input_path});
  return files;
}

void add_input_options(CLI::App* command, InputOptions* options) {
  command
      ->add_option("--images", options->chosen.images,
                   "JPEG or PNG files, preprocessed as the model's preprocessor_config.json says, "
                   "to the numbers of transformers' processor on Pillow")
      ->type_name("FILE...");
  command
      ->add_option("--processor", options->chosen.processor_path,
                   "the preprocessor_config.json of a model that carries none")
      ->type_name("FILE")
      ->needs("--images");
  add_whole(
      command, "--pillow", {12, 13},
      [options](std::uint64_t version) { options->pillow = static_cast<int>(version); },
      "resize as this version of Pillow does: 13 (default) or 12, and those before it")
      ->type_name("N");
  command
      ->add_option("--input", options->chosen.input_path,
                   "a safetensors file with the tensor pixel_values, float32 "
                   "[batch, channels, height, width], as the model's processor makes it")
      ->type_name("FILE")
      ->excludes("--images");
  command
      ->add_option("--randn", options->randn,
                   "instead: torch.randn of this shape, bit for bit (default: one image)")
      ->type_name("SHAPE")
      ->excludes("--input")
      ->excludes("--images");
  add_seed(
      command, "--seed", [options](std::uint64_t seed) { options->chosen.seed = seed; },
      "of --randn (default: 42)");
}

}  // namespace samebits
