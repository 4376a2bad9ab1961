// Any bytes as a numpy array file, and as what one is made of: every element of every array that
// is read lies inside its file, and an array that numpy could have written is read as it was meant.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "samebits/container/npy.h"
#include "samebits/tensor/digest.h"

namespace {

using namespace samebits;

void read_any(Bytes file) {
  if (!looks_like_npy(file)) return;
  const Result<NpyHeader> header = read_npy_header(file, "fuzz.npy", 7);
  if (!header) {
    SAMEBITS_CHECK(!to_string(header.error()).empty());
    return;
  }
  SAMEBITS_CHECK(header->data_offset <= file.size());
  const Result<TensorView> view = npy_view(*header, file, "fuzz.npy", 7);
  if (!view) return;
  SAMEBITS_CHECK(view->nbytes() <= file.size());
  (void)fast_digest(*view);
}

/// An array as its bytes say it: type, order, one size for each of the next bytes.
struct Wanted {
  const char* descr;
  DType dtype;
  bool fortran = false;
  Shape shape;
  std::string bytes;  // of the elements, row-major and little-endian
};

Wanted wanted_array(Bytes bytes) {
  struct Kind {
    const char* descr;
    DType dtype;
  };
  constexpr Kind kKinds[] = {{"<f4", DType::float32},  {">f4", DType::float32},
                             {"|b1", DType::boolean},  {"=i8", DType::int64},
                             {">u2", DType::uint16},   {"<c8", DType::complex64},
                             {">c8", DType::complex64}};
  const Kind kind = kKinds[bytes[0] % std::size(kKinds)];
  Wanted array{kind.descr, kind.dtype, bytes[1] % 2 == 1, {}, ""};
  const std::size_t rank = bytes[2] % 4;
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < rank && i + 3 < bytes.size(); ++i) {
    array.shape.push_back(bytes[i + 3] % 6);
    count *= bytes[i + 3] % 6;
  }
  for (std::uint64_t i = 0; i < count * itemsize(kind.dtype); ++i)
    array.bytes += static_cast<char>(bytes[i % bytes.size()] ^ i);
  return array;
}

/// The elements in the order of the file.
std::string stored(const Wanted& array) {
  const std::size_t size = itemsize(array.dtype);
  const std::size_t component = info(array.dtype).family == DTypeFamily::complex ? size / 2 : size;
  std::string data;
  for (std::size_t i = 0; i < array.bytes.size() / size; ++i) {
    std::size_t from = i;  // the place in row-major order of the i-th element of the file
    if (array.fortran) {
      from = 0;
      std::size_t rest = i;
      std::size_t stride = array.bytes.size() / size;
      std::vector<std::size_t> index;
      for (const std::int64_t extent : array.shape) {
        index.push_back(rest % static_cast<std::size_t>(extent));
        rest /= static_cast<std::size_t>(extent);
      }
      for (std::size_t d = 0; d < index.size(); ++d) {
        stride /= static_cast<std::size_t>(array.shape[d]);
        from += index[d] * stride;
      }
    }
    std::string element = array.bytes.substr(from * size, size);
    for (std::size_t at = 0; array.descr[0] == '>' && at < size; at += component)
      std::reverse(element.begin() + static_cast<std::ptrdiff_t>(at),
                   element.begin() + static_cast<std::ptrdiff_t>(at + component));
    data += element;
  }
  return data;
}

void round_trip(Bytes bytes) {
  if (bytes.size() < 3) return;
  const Wanted array = wanted_array(bytes);
  std::string header = std::string("{'descr': '") + array.descr +
                       "', 'fortran_order': " + (array.fortran ? "True" : "False") + ", 'shape': (";
  for (const std::int64_t size : array.shape) header += std::to_string(size) + ",";
  header += "), }\n";
  std::string file = "\x93NUMPY";
  file += {'\x01', '\0', static_cast<char>(header.size()), '\0'};
  file += header + stored(array);
  const Bytes whole(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
  const Result<NpyHeader> read = read_npy_header(whole, "fuzz.npy");
  SAMEBITS_CHECK(read && read->shape == array.shape && read->fortran_order == array.fortran);
  const Result<TensorView> view = npy_view(*read, whole, "fuzz.npy");
  SAMEBITS_CHECK(view && view->dtype() == array.dtype && view->shape() == array.shape);
  std::vector<std::uint8_t> buffer;
  SAMEBITS_CHECK(as_text(view->row_major_bytes(buffer)) == array.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_any({data, size});
  round_trip({data, size});
  return 0;
}
