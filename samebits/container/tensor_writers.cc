#include "samebits/container/tensor_writers.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/container/little_endian.h"
#include "samebits/container/pickle_writer.h"
#include "samebits/container/zip_writer.h"

namespace samebits {
namespace {

constexpr std::uint64_t kDataAlignment = 64;  // of numpy's headers and of ours

Result<void> check_names(const TensorsToWrite& tensors) {
  std::set<std::string_view> names;
  for (const BlobTensor& tensor : tensors.tensors) {
    if (names.insert(tensor.name).second) continue;
    return fail(
        {.code = ErrorCode::inconsistent, .what = "two tensors would be called " + tensor.name});
  }
  return {};
}

/// Tensors in the order of the file; those of a blob that stands already go to the metadata.
std::vector<const BlobTensor*> in_safetensors_order(const TensorsToWrite& tensors,
                                                    std::map<std::string, std::string>* metadata) {
  std::vector<const BlobTensor*> order;
  for (const BlobTensor& tensor : tensors.tensors) order.push_back(&tensor);
  std::ranges::sort(order, [](const BlobTensor* x, const BlobTensor* y) {
    return std::pair(itemsize(y->dtype), std::string_view(x->name)) <
           std::pair(itemsize(x->dtype), std::string_view(y->name));
  });
  std::map<std::size_t, const BlobTensor*> first;
  std::erase_if(order, [&](const BlobTensor* tensor) {
    const auto [at, is_first] = first.try_emplace(tensor->blob, tensor);
    if (!is_first) (*metadata)[tensor->name] = at->second->name;
    return !is_first;
  });
  return order;
}

PickleValue state_dict_value(const TensorsToWrite& tensors, std::string_view key) {
  PickleValue::Items items;
  for (const BlobTensor& tensor : tensors.tensors)
    items.emplace_back(PickleValue::text(tensor.name),
                       PickleValue::tensor(tensor, tensors.blobs[tensor.blob].size));
  PickleValue dict = PickleValue::ordered_dict(items);
  return key.empty() ? dict : PickleValue::dict({{PickleValue::text(key), dict}});
}

/// numpy's name of a type; "" where it has none.
std::string_view npy_type(DType dtype) {
  switch (dtype) {
    case DType::float64: return "<f8";
    case DType::float32: return "<f4";
    case DType::float16: return "<f2";
    case DType::complex128: return "<c16";
    case DType::complex64: return "<c8";
    case DType::int64: return "<i8";
    case DType::int32: return "<i4";
    case DType::int16: return "<i2";
    case DType::int8: return "|i1";
    case DType::uint64: return "<u8";
    case DType::uint32: return "<u4";
    case DType::uint16: return "<u2";
    case DType::uint8: return "|u1";
    case DType::boolean: return "|b1";
    default: return "";
  }
}

std::string npy_header(const BlobTensor& tensor) {
  const std::string shape = tensor.shape.size() == 1
                                ? fmt::format("({},)", tensor.shape[0])
                                : fmt::format("({})", fmt::join(tensor.shape, ", "));
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                 npy_type(tensor.dtype), shape);
  constexpr std::size_t kBefore = 10;  // magic, version, length
  text.append(kDataAlignment - (kBefore + text.size() + 1) % kDataAlignment, ' ');
  text += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + little_endian<2>(text.size()) + text;
}

}  // namespace

bool safetensors_can_hold(DType dtype) {
  return !info(dtype).safetensors.empty() && dtype != DType::float4_e2m1fn_x2;
}

bool torch_archive_can_hold(DType dtype) {
  const DTypeFamily family = info(dtype).family;
  const bool small = family == DTypeFamily::integer &&
                     info(dtype).torch.find("int8") == std::string_view::npos &&
                     itemsize(dtype) == 1;
  return family != DTypeFamily::quantized && family != DTypeFamily::bits && !small;
}

bool npz_can_hold(DType dtype) { return !npy_type(dtype).empty(); }

Result<void> stream_safetensors(const TensorsToWrite& tensors,
                                std::map<std::string, std::string> metadata, const ByteSink& sink) {
  SAMEBITS_TRY_VOID(check_names(tensors));
  const std::vector<const BlobTensor*> order = in_safetensors_order(tensors, &metadata);
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  Json::object_t& members = *header.get_ptr<Json::object_t*>();
  for (const BlobTensor* tensor : order) {
    SAMEBITS_CHECK(safetensors_can_hold(tensor->dtype));
    const std::uint64_t end = at + tensors.blobs[tensor->blob].size;
    // Their names are known to be different; operator[] would look for each among all.
    members.emplace_back(tensor->name, Json{{"dtype", std::string(info(tensor->dtype).safetensors)},
                                            {"shape", tensor->shape},
                                            {"data_offsets", {at, end}}});
    at = end;
  }
  std::string text = json_text(header);
  text.resize((8 + text.size() + kDataAlignment - 1) / kDataAlignment * kDataAlignment - 8, ' ');
  SAMEBITS_TRY_VOID(sink(bytes_of_text(little_endian<8>(text.size()) + text)));
  for (const BlobTensor* tensor : order) SAMEBITS_TRY_VOID(tensors.blobs[tensor->blob].feed(sink));
  return {};
}

Result<void> stream_torch_archive(const TensorsToWrite& tensors, std::string_view key,
                                  const ByteSink& sink) {
  SAMEBITS_TRY_VOID(check_names(tensors));
  return stream_torch_object(state_dict_value(tensors, key), tensors, sink);
}

Result<void> stream_npz(const TensorsToWrite& tensors, const ByteSink& sink) {
  SAMEBITS_TRY_VOID(check_names(tensors));
  ZipWriter zip(sink);
  for (const BlobTensor& tensor : tensors.tensors) {
    SAMEBITS_CHECK(npz_can_hold(tensor.dtype));
    const std::string header = npy_header(tensor);
    const Blob& data = tensors.blobs[tensor.blob];
    const Blob array{header.size() + data.size, [&](const ByteSink& to) -> Result<void> {
                       SAMEBITS_TRY_VOID(to(bytes_of_text(header)));
                       return data.feed(to);
                     }};
    SAMEBITS_TRY_VOID(zip.add(tensor.name + ".npy", array, kDataAlignment));
  }
  return zip.finish();
}

}  // namespace samebits
