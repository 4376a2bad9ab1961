// The samples of a training: tensors of a file, or a folder of pictures.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/image/processor.h"
#include "samebits/run/vit_config.h"

namespace samebits {

/// What a model asks of its data.
struct DataNeeds {
  std::size_t channels = 0, height = 0, width = 0;
  std::size_t classes = 0;  // of a classifier, whose samples have labels; 0: none are needed
  Json preprocessing;       // of the model, for pictures; or null
};

class DataSet {
 public:
  /// A file (safetensors, npz, or whatever open_checkpoint() reads) with the tensor `images`
  /// [samples, channels, height, width] float32, and where the model needs some `labels` [samples]
  /// int64; or a directory with JPEG and PNG files, one subdirectory for each class where there are
  /// labels: the classes are their names in the order of bytes, the samples their files in that
  /// order. Pictures are decoded and preprocessed when they are read. Errors: those of
  /// open_checkpoint(), decode_image() and image_processor(); usage for what is not there,
  /// inconsistent for other shapes and for labels that are no class.
  static Result<DataSet> open(const std::string& path, const DataNeeds& needs);

  std::size_t size() const { return size_; }
  /// XXH3 128 of the elements, or of the names and bytes of the pictures, as hexadecimal digits.
  const std::string& digest() const { return digest_; }
  bool has_labels() const { return !labels_.empty(); }
  std::int64_t label(std::size_t sample) const { return labels_[sample]; }
  /// Of one sample: [channels, height, width]. Errors: io and those of decoding.
  Result<void> read(std::size_t sample, float* out) const;

 private:
  Result<void> open_tensors(const std::string& path, const DataNeeds& needs);
  Result<void> open_pictures(const std::string& path, const DataNeeds& needs);
  Result<void> check_labels(const std::string& path, const DataNeeds& needs) const;

  std::size_t size_ = 0, image_size_ = 0, height_ = 0, width_ = 0;
  std::string digest_;
  std::vector<std::int64_t> labels_;
  std::shared_ptr<const Checkpoint> file_;  // of tensors
  TensorView images_;
  std::vector<std::string> pictures_;  // paths
  ImageProcessor processor_;
};

}  // namespace samebits
