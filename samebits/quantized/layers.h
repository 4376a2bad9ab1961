// The layers of a checkpoint whose weights are stored quantized, found by the names of their
// tensors.
//
// Source: the names that torch.ao.quantization, bitsandbytes 0.50, GPTQ and AWQ, torchao 0.18,
// compressed-tensors 0.20 and transformers' fine-grained fp8 write.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"

namespace samebits {

/// Names of the tensors that belong to each quantized layer, by its name: "vit.layers.0.fc".
using QuantizedLayers = std::map<std::string, std::vector<std::string>>;

QuantizedLayers quantized_layers(const Checkpoint& checkpoint);

/// The types of codes: narrow integers and floats, and the words that hold packed ones.
bool is_narrow_type(DType type);

/// A member of an object, and members of members by several names; null where there is none.
const Json* member_of(const Json& object, std::initializer_list<const char*> names);

/// What the files say beside the tensors of a layer, and these tensors by name.
class LayerSource {
 public:
  explicit LayerSource(const Checkpoint& checkpoint);
  /// A readable tensor, or null.
  const StoredTensor* find(const std::string& name) const;
  /// All its elements as numbers, in row-major order; none where it is absent, too large for scales
  /// or of a type without numbers.
  std::vector<double> numbers(const std::string& name) const;
  /// quantization_config of config.json; null where there is none.
  const Json& config() const { return config_; }
  /// The text that the file's metadata has for a name; "".
  std::string metadata(const std::string& name) const;

 private:
  std::map<std::string, const StoredTensor*> tensors_;
  Json config_;
  const Json* metadata_ = nullptr;
};

}  // namespace samebits
