// A model that learns: its weights in memory as the passes read them, and how they stand in its
// files.
#pragma once

#include <string>
#include <vector>

#include "samebits/container/tensor_blob.h"
#include "samebits/run/open_vit.h"
#include "samebits/train/weight_slots.h"

namespace samebits {

/// A tensor of the checkpoint that stands in the passes' weights.
struct StoredWeight {
  std::string name;
  std::string role;  // as the tables of model/ know it: "3:query.weight"
  Shape shape;
  std::size_t slot = 0;              // of weight_slots()
  std::size_t first = 0, count = 0;  // its rows there
  bool fixed = false;                // positions of a masked autoencoder, without a gradient
  bool learns = true;                // what is fixed does not, unless an optimizer moves it
};

/// One that no pass reads: it is kept as it is.
struct OtherTensor {
  std::string name;
  std::string role{};  // "" where no table knows it
  DType dtype = DType::float32;
  Shape shape;
  std::vector<std::uint8_t> bytes;
};

struct TrainedModel {
  VitModel model;
  Json config, preprocessing;  // of the directory; null where it has none
  std::vector<StoredWeight> weights;
  std::vector<OtherTensor> others;
  model::Recognition found;  // its class, and the prefix that is not in the names here

  /// Layer norms and biases.
  static bool is_norm_or_bias(const WeightSlot& slot);

  /// The tensors of a file of weights, or of anything with their sizes: `values` is weights,
  /// gradients or moments. With `prefix` in front of their names; `all`: those that do not learn,
  /// too. Borrows `values` and this.
  TensorsToWrite tensors(VitWeights& values, const std::string& prefix, bool all) const;
};

/// Rows [first, first + count) of a slot, which must outlive it.
Blob blob_of_rows(const WeightSlot& slot, std::size_t first, std::size_t count);

/// `config` is the checkpoint's own, or one that was given in its place. Errors: those of
/// open_vit(); unsupported for a model that cannot be trained, and for weights that are not
/// float32.
Result<TrainedModel> trained_model(const Checkpoint& checkpoint, const Json& config, int threads);
/// Of a path, with its own config. Errors: also those of open_checkpoint().
Result<TrainedModel> open_trained_model(const std::string& path, int threads);

}  // namespace samebits
