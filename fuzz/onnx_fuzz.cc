// Any bytes as an ONNX model: the bytes of every tensor lie inside the file, and are as many as its
// type and shape say, or it says why they are not read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "samebits/container/onnx.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const Result<OnnxModel> read = read_onnx({data, size}, "fuzz.onnx");
  if (!read) {
    SAMEBITS_CHECK(!to_string(read.error()).empty());
    return 0;
  }
  for (const OnnxTensor& tensor : read->tensors) {
    if (!tensor.unreadable.empty() || !tensor.location.empty()) continue;
    const Result<std::uint64_t> count = element_count(tensor.shape);
    SAMEBITS_CHECK(count.has_value());
    const std::uint64_t held =
        tensor.unpacked.empty() ? tensor.bytes.size() : tensor.unpacked.size();
    SAMEBITS_CHECK(held == *count * itemsize(tensor.dtype));
    SAMEBITS_CHECK(tensor.bytes.empty() || tensor.offset + tensor.bytes.size() <= size);
  }
  return 0;
}
