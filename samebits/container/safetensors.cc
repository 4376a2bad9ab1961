#include "samebits/container/safetensors.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "samebits/base/limits.h"
#include "samebits/container/safetensors_header.h"

namespace samebits {
namespace {

constexpr std::uint64_t kLengthBytes = 8;

Result<Bytes> header_json(Bytes file, const std::string& path) {
  ByteReader reader(file, path);
  SAMEBITS_TRY(const std::uint64_t length, reader.u64("the length of the header"));
  if (length > kLimits.safetensors_header) {
    return fail({.code = ErrorCode::limit,
                 .what = "the safetensors header is too large",
                 .file = path,
                 .offset = 0,
                 .expected = "at most " + std::to_string(kLimits.safetensors_header) + " bytes",
                 .found = std::to_string(length),
                 .hint = "The safetensors library refuses it, too (HeaderTooLarge): write the "
                         "tensors again, into several files or with less metadata"});
  }
  return reader.take(length, "the safetensors header");
}

// The ranges, in order, cover the data without a gap or an overlap. Returns where the last ends.
Result<std::uint64_t> check_cover(const SafetensorsHeader& header, const std::string& path) {
  const std::vector<SafetensorsEntry>& entries = header.file.entries;
  std::vector<std::uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(entries[a].begin, entries[a].end, a) <
           std::tie(entries[b].begin, entries[b].end, b);
  });
  std::uint64_t covered = 0;
  for (const std::uint32_t i : order) {
    const SafetensorsEntry& entry = entries[i];
    if (entry.begin != covered) {
      const char* fault = entry.begin < covered ? "overlaps another" : "leaves a gap before it";
      return fail({.code = ErrorCode::inconsistent,
                   .what = "the tensor \"" + entry.name.substr(0, 200) + "\" " + fault,
                   .file = path,
                   .offset = header.key_offsets[i],
                   .expected = "data from " + std::to_string(covered),
                   .found = std::to_string(entry.begin)});
    }
    covered = entry.end;
  }
  return covered;
}

Result<void> check_data_size(std::uint64_t covered, std::uint64_t available,
                             std::uint64_t data_begin, const std::string& path) {
  if (covered == available) return {};
  const bool short_file = available < covered;
  return fail(
      {.code = short_file ? ErrorCode::truncated : ErrorCode::malformed,
       .what = short_file ? "the file ends before its tensors do" : "bytes follow the last tensor",
       .file = path,
       .offset = data_begin + std::min(covered, available),
       .expected = std::to_string(covered) + " bytes of data",
       .found = std::to_string(available)});
}

}  // namespace

bool SafetensorsFile::looks_like(Bytes file) {
  if (file.size() <= kLengthBytes) return false;
  const std::uint64_t length = load_u64le(file.data());
  constexpr std::string_view kFirst = "{ \t\r\n";
  // A header that is too long is one that the file has room for: open() says so.
  return length > 0 &&
         (length <= kLimits.safetensors_header || length <= file.size() - kLengthBytes) &&
         kFirst.find(static_cast<char>(file[kLengthBytes])) != std::string_view::npos;
}

Result<SafetensorsFile> SafetensorsFile::open(Bytes file, const std::string& path) {
  SAMEBITS_TRY(const Bytes json, header_json(file, path));
  SAMEBITS_TRY(SafetensorsHeader header, read_safetensors_header(json, path, kLengthBytes));
  SAMEBITS_TRY(const std::uint64_t covered, check_cover(header, path));
  const std::uint64_t data_begin = kLengthBytes + json.size();
  SAMEBITS_TRY_VOID(check_data_size(covered, file.size() - data_begin, data_begin, path));
  header.file.header_bytes = json.size();
  for (SafetensorsEntry& entry : header.file.entries) {
    entry.begin += data_begin;  // at most the file's size, as checked
    entry.end += data_begin;
  }
  return std::move(header.file);
}

}  // namespace samebits
