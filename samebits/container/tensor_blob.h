// Tensors on their way into a file: what a writer of a container is given.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"
#include "samebits/tensor/dtype.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

/// Where bytes go, in order. Errors: io.
using ByteSink = std::function<Result<void>(Bytes)>;

/// Bytes that are made when they are written: a checkpoint of any size takes no memory. `feed`
/// gives all `size` bytes, the same in every call.
struct Blob {
  std::uint64_t size = 0;
  std::function<Result<void>(const ByteSink&)> feed;
};

/// A tensor whose row-major little-endian bytes are those of a blob. Tied tensors share one.
struct BlobTensor {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::size_t blob = 0;
};

struct TensorsToWrite {
  std::vector<BlobTensor> tensors;
  std::vector<Blob> blobs;
};

}  // namespace samebits
