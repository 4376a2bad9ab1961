// Any bytes as a GGUF file: every tensor that is read lies inside its file, none in another, and
// its blocks become numbers.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "samebits/container/gguf.h"
#include "samebits/container/gguf_blocks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const Bytes file(data, size);
  if (!GgufFile::looks_like(file)) return 0;
  const Result<GgufFile> read = GgufFile::open(file, "fuzz.gguf");
  if (!read) {
    SAMEBITS_CHECK(!to_string(read.error()).empty());
    return 0;
  }
  std::vector<float> values;
  for (const GgufTensor& tensor : read->tensors) {
    const GgufType* type = find_gguf_type(tensor.type);
    SAMEBITS_CHECK(type != nullptr && tensor.begin <= tensor.end && tensor.end <= size);
    SAMEBITS_CHECK((tensor.end - tensor.begin) % type->bytes == 0);
    if (type->dequantize == nullptr) continue;
    values.resize(type->elements);
    for (std::uint64_t at = tensor.begin; at < tensor.end; at += type->bytes)
      type->dequantize(data + at, values.data());
  }
  return 0;
}
