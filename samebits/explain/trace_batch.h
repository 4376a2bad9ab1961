// Two traces of which one has a single image and the other several, that one among them.
#pragma once

#include <optional>
#include <string>

#include "samebits/compare/tensor_stats.h"
#include "samebits/explain/report.h"

namespace samebits {

/// The point of that name, where it can be read.
const StoredTensor* recorded_point(const Subject& subject, const std::string& name);

/// Where the one image stands in the other side's batch. Borrows both checkpoints' bytes.
class BatchPlace {
 public:
  /// Not found where both have several images, or one each, or no image is the one.
  static BatchPlace find(const Subject& a, const Subject& b, int threads);

  bool found() const { return place_.has_value(); }
  /// "the one image of A is image 1 of 3 in B"
  std::string text(const Subject& a, const Subject& b) const;
  /// "one image alone, and as image 1 of 3"
  std::string choice() const;
  /// Both values of a point; of a batch beside one image, that image's.
  ValuePair values(const StoredTensor& x, const StoredTensor& y) const;

 private:
  std::optional<std::int64_t> place_;
  std::int64_t images_ = 0;
  bool batch_is_b_ = false;
};

}  // namespace samebits
