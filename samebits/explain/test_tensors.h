// For tests only: safetensors files of small models, with numbers that a seed gives.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/diff.h"
#include "samebits/tensor/tensor.h"

namespace samebits::test_tensors {

struct Named {
  std::string name;
  Shape shape;
  std::vector<float> values;
};
using Model = std::vector<Named>;

/// Numbers around 0 that look random, the same for the same seed.
inline std::vector<float> draws(const Shape& shape, std::uint64_t seed) {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < *element_count(shape); ++i) {
    std::uint64_t state = (i + 1) * 0x9E3779B97F4A7C15ULL + seed * 0xD1342543DE82EF95ULL;
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ULL;
    values.push_back(
        static_cast<float>(static_cast<double>((state ^ (state >> 27)) >> 40) / (1 << 24) - 0.5));
  }
  return values;
}

/// Patches, blocks of a matrix and a bias, a norm, a classifier.
inline Model model(std::int64_t blocks, std::int64_t classes = 3,
                   const std::string& stack = "vit.layers.") {
  Model made;
  std::uint64_t seed = 1;
  const auto add = [&](const std::string& name, const Shape& shape) {
    made.push_back({name, shape, draws(shape, ++seed)});
  };
  add("vit.embeddings.cls_token", {1, 1, 8});
  add("vit.embeddings.patches.weight", {8, 12});
  for (std::int64_t n = 0; n < blocks; ++n) {
    add(stack + std::to_string(n) + ".fc.weight", {8, 8});
    add(stack + std::to_string(n) + ".fc.bias", {8});
  }
  add("vit.layernorm.weight", {8});
  add("classifier.weight", {classes, 8});
  return made;
}

/// Every number of the tensors whose names begin so, moved by a share of another draw.
inline Model moved(Model model, const std::string& begin, float share) {
  std::uint64_t seed = 1000;
  for (Named& tensor : model) {
    if (!tensor.name.starts_with(begin)) continue;
    const std::vector<float> other = draws(tensor.shape, ++seed);
    for (std::size_t i = 0; i < other.size(); ++i) tensor.values[i] += share * other[i];
  }
  return model;
}

inline Model without(const Model& model, const std::string& begin) {
  Model left;
  for (const Named& tensor : model) {
    if (!tensor.name.starts_with(begin)) left.push_back(tensor);
  }
  return left;
}

/// A safetensors file whose matrices lie at multiples of 16.
inline std::string safetensors_file(const Model& model) {
  std::string header;
  std::string data;
  for (const Named& tensor : model) {
    const std::string bytes = test_files::floats(tensor.values);
    std::string shape;
    for (const std::int64_t size : tensor.shape)
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    header += (header.empty() ? "{\"" : ",\"") + tensor.name + "\":{\"dtype\":\"F32\",\"shape\":[" +
              shape + "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + bytes.size()) + "]}";
    data += bytes;
  }
  header += "}";
  header.resize((header.size() + 8 + 15) / 16 * 16 - 8, ' ');
  return zip_builder::le64(header.size()) + header + data;
}

inline Report diff_of(const Model& a, const Model& b) {
  const test_files::Folder folder;
  const std::string left = folder.write("a.safetensors", safetensors_file(a));
  const std::string right = folder.write("b.safetensors", safetensors_file(b));
  return diff({left, ""}, {right, ""}, 1);
}

}  // namespace samebits::test_tensors
