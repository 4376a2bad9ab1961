// Any file of weights beside any quantization_config: every layer that is read as codes and scales
// gives all of its numbers, the same from wherever it is read, or is left unread.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "fuzz/two_files.h"
#include "samebits/checkpoint/open.h"
#include "samebits/convert/dequantize.h"
#include "samebits/quantized/forms.h"

namespace {

using samebits::DecodedRun;
using samebits::QuantizedWeight;
using samebits::fuzz::require;

constexpr std::uint64_t kReadable = 1 << 14;  // numbers of a weight that are read here

bool are_same(double x, double y) {
  return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
}

/// From the beginning, and from a place in the middle of it.
void check_numbers(const QuantizedWeight& weight) {
  require(weight.fits() && !weight.form.empty() && !blocks_text(weight).empty());
  const std::uint64_t count = std::min(kReadable, weight.numel());
  DecodedRun whole, rest;
  weight.read(0, count, whole);
  const std::uint64_t middle = count / 3;
  weight.read(middle, count - middle, rest);
  require(whole.numbers.size() == count);
  require(std::ranges::equal(std::span(whole.numbers).subspan(middle), rest.numbers, are_same));
  require(std::ranges::equal(std::span(whole.codes).subspan(middle), rest.codes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const fuzz::TwoFiles cut = fuzz::cut({data, size});
  const fuzz::MemoryFile file(cut.a);
  Result<Checkpoint> opened = open_checkpoint(file.path(), {.threads = 1});
  if (!opened) return 0;
  const Result<Json> config = parse_json(cut.b, "config");
  if (config) opened->config = {{"quantization_config", *config}};
  const LayerSource source(*opened);
  std::uint64_t numbers = 0;
  for (const auto& [layer, parts] : quantized_layers(*opened)) {
    const auto weight = read_quantized(source, layer, parts);
    if (!weight) continue;
    check_numbers(*weight);
    numbers = std::max(numbers, weight->numel());
  }
  if (numbers > kReadable) return 0;
  const std::size_t before = opened->has_weights() ? opened->weights().weights.size() : 0;
  const Result<DequantizedWeights> done = dequantize_weights(*opened, "/tmp");
  if (!done) {
    require(!to_string(done.error()).empty());
    return 0;
  }
  require(done->count > 0 && opened->weights().weights.size() <= before);
  require(quantized_layers(*opened).empty());
  return 0;
}
