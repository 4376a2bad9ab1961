// Any bytes as a safetensors file, and as what one is made of: what is read covers the file without
// gap or overlap, and a header that says so in any order is read as it was meant.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "samebits/container/safetensors.h"
#include "samebits/tensor/digest.h"

namespace {

using namespace samebits;

std::uint64_t size_of(const SafetensorsEntry& entry) {
  return *element_count(entry.shape) * itemsize(entry.dtype);
}

void read_any(Bytes file) {
  (void)SafetensorsFile::looks_like(file);
  const Result<SafetensorsFile> read = SafetensorsFile::open(file, "fuzz.safetensors");
  if (!read) {
    SAMEBITS_CHECK(!to_string(read.error()).empty());
    return;
  }
  std::uint64_t covered = 8 + read->header_bytes;
  for (const SafetensorsEntry& entry : read->entries) {
    SAMEBITS_CHECK(entry.begin <= entry.end && entry.end <= file.size());
    SAMEBITS_CHECK(entry.end - entry.begin == size_of(entry));
    covered += entry.end - entry.begin;
    (void)fast_digest(file.subspan(entry.begin, entry.end - entry.begin));
  }
  SAMEBITS_CHECK(covered == file.size());
}

struct Wanted {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // in the data
};

/// Three bytes make a tensor: its type, two sizes.
std::vector<Wanted> wanted_tensors(Bytes bytes) {
  constexpr DType kTypes[] = {DType::float32, DType::bfloat16, DType::boolean, DType::int64,
                              DType::float8_e4m3fn};
  constexpr std::size_t kMost = 64;
  std::vector<Wanted> tensors;
  std::uint64_t at = 0;
  for (std::size_t i = 0; i + 3 <= bytes.size() && tensors.size() < kMost; i += 3) {
    Wanted tensor{"t\"\\" + std::to_string(i), kTypes[bytes[i] % std::size(kTypes)], {}, at, at};
    for (std::size_t d = 0; d < bytes[i] / 64u % 3; ++d)
      tensor.shape.push_back(bytes[i + 1 + d] % 5);
    tensor.end += *element_count(tensor.shape) * itemsize(tensor.dtype);
    at = tensor.end;
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::string header_of(std::vector<Wanted> tensors, bool backwards) {
  if (backwards) std::reverse(tensors.begin(), tensors.end());
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  for (const Wanted& tensor : tensors) {
    header += ",\"t\\\"\\u005c" + tensor.name.substr(3) + "\":{\"shape\":[";
    for (std::size_t d = 0; d < tensor.shape.size(); ++d)
      header += (d == 0 ? "" : ",") + std::to_string(tensor.shape[d]);
    header += "],\"data_offsets\":[" + std::to_string(tensor.begin) + "," +
              std::to_string(tensor.end) + "],\"dtype\":\"" +
              std::string(info(tensor.dtype).safetensors) + "\"}";
  }
  return header + "}";
}

void round_trip(Bytes bytes) {
  const std::vector<Wanted> tensors = wanted_tensors(bytes);
  const bool backwards = !bytes.empty() && bytes.back() % 2 == 1;
  const std::string header = header_of(tensors, backwards);
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i) & 0xFF);
  file += header;
  file.resize(file.size() + (tensors.empty() ? 0 : tensors.back().end));
  const auto read = SafetensorsFile::open(
      {reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "fuzz.safetensors");
  SAMEBITS_CHECK(read && read->entries.size() == tensors.size() && read->metadata.size() == 1);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Wanted& wanted = tensors[backwards ? tensors.size() - 1 - i : i];
    const SafetensorsEntry& entry = read->entries[i];
    SAMEBITS_CHECK(entry.name == wanted.name && entry.dtype == wanted.dtype &&
                   entry.shape == wanted.shape);
    SAMEBITS_CHECK(entry.begin == 8 + header.size() + wanted.begin &&
                   entry.end == 8 + header.size() + wanted.end);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_any({data, size});
  round_trip({data, size});
  return 0;
}
