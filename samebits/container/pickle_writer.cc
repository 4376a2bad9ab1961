#include "samebits/container/pickle_writer.h"

#include <bit>
#include <limits>

#include <fmt/format.h>

#include "samebits/container/little_endian.h"
#include "samebits/container/zip_writer.h"

namespace samebits {
namespace {

constexpr std::uint64_t kRecordAlignment = 64;  // of torch.save

std::string pickled_text(std::string_view text) {
  return "X" + little_endian<4>(text.size()) + std::string(text);
}
std::string pickled_number(std::uint64_t value) {
  if (value < 0x100) return "K" + little_endian<1>(value);
  if (value < 0x10000) return "M" + little_endian<2>(value);
  if (value < 0x80000000) return "J" + little_endian<4>(value);
  std::string digits = little_endian<8>(value);
  if ((value >> 63) != 0) digits += '\0';  // the sign's place
  return "\x8a" + little_endian<1>(digits.size()) + digits;
}
std::string pickled_global(std::string_view module, std::string_view name) {
  return fmt::format("c{}\n{}\n", module, name);
}
std::string pickled_sizes(const std::vector<std::int64_t>& sizes) {
  std::string text = "(";
  for (const std::int64_t size : sizes) text += pickled_number(static_cast<std::uint64_t>(size));
  return text + "t";
}
std::string empty_ordered_dict() { return pickled_global("collections", "OrderedDict") + ")R"; }

}  // namespace

PickleValue PickleValue::integer(std::int64_t value) {
  if (value >= 0) return PickleValue(pickled_number(static_cast<std::uint64_t>(value)));
  if (value >= std::numeric_limits<std::int32_t>::min())
    return PickleValue("J" + little_endian<4>(static_cast<std::uint32_t>(value)));
  return PickleValue("\x8a\x08" + little_endian<8>(static_cast<std::uint64_t>(value)));
}

PickleValue PickleValue::real(double value) {
  const std::string bytes = little_endian<8>(std::bit_cast<std::uint64_t>(value));
  return PickleValue("G" + std::string(bytes.rbegin(), bytes.rend()));
}

PickleValue PickleValue::text(std::string_view value) { return PickleValue(pickled_text(value)); }

std::string PickleValue::all_of(const std::vector<PickleValue>& elements) {
  std::string all;
  for (const PickleValue& each : elements) all += each.opcodes_;
  return all;
}

PickleValue PickleValue::list(const std::vector<PickleValue>& elements) {
  return PickleValue(elements.empty() ? "]" : "](" + all_of(elements) + "e");
}

PickleValue PickleValue::tuple(const std::vector<PickleValue>& elements) {
  return PickleValue(elements.empty() ? ")" : "(" + all_of(elements) + "t");
}

std::string PickleValue::items_of(const Items& items) {
  std::string all = "(";
  for (const auto& [key, value] : items) all += key.opcodes_ + value.opcodes_;
  return all + "u";
}

PickleValue PickleValue::dict(const Items& items) {
  if (items.empty()) return PickleValue("}");
  if (items.size() == 1)
    return PickleValue("}" + items[0].first.opcodes_ + items[0].second.opcodes_ + "s");
  return PickleValue("}" + items_of(items));
}

PickleValue PickleValue::ordered_dict(const Items& items) {
  return PickleValue(empty_ordered_dict() + items_of(items));
}

PickleValue PickleValue::tensor(const BlobTensor& tensor, std::uint64_t bytes) {
  const DTypeInfo& type = info(tensor.dtype);
  const bool typed = !type.storage.empty();
  const std::uint64_t count = typed ? bytes / type.itemsize : bytes;
  const std::string storage = "(" + pickled_text("storage") +
                              (typed ? pickled_global("torch", type.storage)
                                     : pickled_global("torch.storage", "UntypedStorage")) +
                              pickled_text(std::to_string(tensor.blob)) + pickled_text("cpu") +
                              pickled_number(count) + "tQ";
  return PickleValue(
      pickled_global("torch._utils", typed ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3") + "(" +
      storage + pickled_number(0) + pickled_sizes(tensor.shape) +
      pickled_sizes(contiguous_strides(tensor.shape)) + "\x89" + empty_ordered_dict() +
      (typed ? "" : pickled_global("torch", type.torch)) + "tR");
}

Result<void> stream_torch_object(const PickleValue& value, const TensorsToWrite& tensors,
                                 const ByteSink& sink) {
  const std::string folder = "archive/";
  ZipWriter zip(sink);
  SAMEBITS_TRY_VOID(
      zip.add(folder + "data.pkl", "\x80\x02" + value.opcodes() + ".", kRecordAlignment));
  SAMEBITS_TRY_VOID(zip.add(folder + ".format_version", "1", kRecordAlignment));
  SAMEBITS_TRY_VOID(
      zip.add(folder + ".storage_alignment", std::to_string(kRecordAlignment), kRecordAlignment));
  SAMEBITS_TRY_VOID(zip.add(folder + "byteorder", "little", kRecordAlignment));
  for (std::size_t i = 0; i < tensors.blobs.size(); ++i)
    SAMEBITS_TRY_VOID(
        zip.add(fmt::format("{}data/{}", folder, i), tensors.blobs[i], kRecordAlignment));
  SAMEBITS_TRY_VOID(zip.add(folder + "version", "3\n", kRecordAlignment));
  return zip.finish();
}

}  // namespace samebits
