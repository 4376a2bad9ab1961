// Runs a checkpoint for vit_test.py: vit_run CHECKPOINT CONFIG|- IMAGES NOISE|- BATCH MASK_RATIO
// ISA THREADS OUT writes every output and trace point as OUT/NAME.f32, raw float32.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "samebits/checkpoint/open.h"
#include "samebits/run/open_vit.h"

namespace {

std::vector<char> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> floats_of(const std::string& path) {
  const std::vector<char> bytes = bytes_of(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(values.data()));
  return values;
}

void write(const std::string& folder, const std::string& name, std::span<const float> values) {
  std::ofstream(folder + "/" + name + ".f32", std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
}

samebits::Isa isa_of(const std::string& name) {
  if (name == "avx2") return samebits::Isa::avx2;
  return name == "avx512" ? samebits::Isa::avx512 : samebits::Isa::scalar;
}

int fail_with(const samebits::Error& error) {
  std::fprintf(stderr, "vit_run: %s\n", samebits::to_string(error).c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) return 2;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto checkpoint = samebits::open_checkpoint(words[0]);
  if (!checkpoint) return fail_with(checkpoint.error());
  samebits::Json config = checkpoint->config;
  if (words[1] != "-") {
    const std::vector<char> text = bytes_of(words[1]);
    config = samebits::Json::parse(text.begin(), text.end());
  }
  auto model = samebits::open_vit(*checkpoint, config);
  if (!model) return fail_with(model.error());
  const std::vector<float> images = floats_of(words[2]);
  const std::vector<float> noise = words[3] == "-" ? std::vector<float>() : floats_of(words[3]);
  const samebits::KernelTable* kernels = samebits::kernel_table(isa_of(words[6]));
  if (kernels == nullptr) return 3;
  samebits::ThreadPool pool(std::atoi(words[7].c_str()));
  const std::size_t batch = std::stoul(words[4]);
  const samebits::VitConfig& vit = model->config();
  // ROWSxCOLUMNS behind the batch is the images' size: 2:64x48
  std::size_t height = vit.image_height, width = vit.image_width;
  if (const auto at = words[4].find(':'); at != std::string::npos) {
    height = std::stoul(words[4].substr(at + 1));
    width = std::stoul(words[4].substr(words[4].find('x') + 1));
  }
  if (const char* reason = model->cannot_take(height, width)) {
    std::fprintf(stderr, "vit_run: %s\n", reason);
    return 2;
  }
  // A seed behind the threads is training mode: 2:7
  std::unique_ptr<samebits::CpuGenerator> training;
  if (const auto at = words[7].find(':'); at != std::string::npos)
    training = std::make_unique<samebits::CpuGenerator>(std::stoull(words[7].substr(at + 1)));
  const samebits::VitInput input{.images = {images, batch, height, width},
                                 .noise = noise,
                                 .mask_ratio = std::stod(words[5]),
                                 .training = training.get()};
  // Without a trace the batch runs in parts, which must not show.
  const auto plain = model->forward({*kernels, pool}, input);
  if (training)
    *training = samebits::CpuGenerator(std::stoull(words[7].substr(words[7].find(':') + 1)));
  const auto outputs = model->forward(
      {*kernels, pool}, input,
      [&](std::string_view name, std::span<const float> values, const std::vector<std::size_t>&) {
        write(words[8], "trace." + std::string(name), values);
      });
  for (std::size_t i = 0; i < plain.arrays.size(); ++i) {
    const auto& x = plain.arrays[i].values;
    const auto& y = outputs.arrays[i].values;
    if (x.size() != y.size() || std::memcmp(x.data(), y.data(), x.size() * 4) != 0) return 4;
  }
  for (const samebits::NamedArray& array : outputs.arrays)
    write(words[8], array.name, array.values);
  return 0;
}
