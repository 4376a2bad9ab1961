#include "samebits/cli/input_options.h"

namespace samebits {
namespace {

Result<std::vector<std::size_t>> sizes_of(const std::string& randn) {
  std::vector<std::size_t> sizes;
  for (std::size_t begin = 0; begin < randn.size();) {
    const std::size_t end = std::min(randn.find('x', begin), randn.size());
    const std::string word = randn.substr(begin, end - begin);
    const bool digits = !word.empty() && word.size() < 10 &&
                        word.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      return fail({.code = ErrorCode::usage,
                   .what = "--randn " + randn + " is no shape",
                   .expected = "sizes such as 8x3x224x224"});
    }
    sizes.push_back(std::stoul(word));
    begin = end + 1;
  }
  if (randn.ends_with('x')) {
    return fail({.code = ErrorCode::usage,
                 .what = "--randn " + randn + " is no shape",
                 .expected = "sizes such as 8x3x224x224"});
  }
  return sizes;
}

}  // namespace

Result<InputRequest> InputOptions::request() const {
  InputRequest request = chosen;
  SAMEBITS_TRY(request.randn, sizes_of(randn));
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
  command
      ->add_option("--pillow", options->pillow,
                   "resize as this version of Pillow does: 13 (default) or 12, and those before it")
      ->type_name("N")
      ->check(CLI::IsMember({12, 13}).description(""));
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
  command->add_option("--seed", options->chosen.seed, "of --randn (default: 42)")->type_name("N");
}

}  // namespace samebits
