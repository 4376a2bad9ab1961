#include "samebits/convert/convert_words.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "samebits/base/bytes.h"
#include "samebits/convert/planned_bytes.h"

namespace samebits {
namespace {

Result<void> check_combinations(const ConvertWords& words, const ConvertRequest& request) {
  const bool directory = request.format == ConvertFormat::hf;
  const bool keeps = request.format <= ConvertFormat::npz;
  const auto only = [](const char* option, const char* formats) {
    return fail(
        {.code = ErrorCode::usage, .what = fmt::format("{} is for --to {}", option, formats)});
  };
  if (!directory && !words.shard_size.empty()) return only("--shard-size", "hf");
  if (keeps && !request.config_path.empty()) return only("--config", "hf or a library");
  if (keeps && !request.class_name.empty()) return only(":ClassName", "hf or a library");
  if (!keeps && !request.strip_prefix.empty())
    return only("--strip-prefix", "safetensors, torch or npz; the others find it");
  return {};
}

Result<void> read_format(const std::string& format, ConvertRequest* request) {
  const std::size_t colon = format.find(':');
  const auto known = format_from_name(format.substr(0, colon));
  if (!known)
    return fail({.code = ErrorCode::usage,
                 .what = "--to: there is no format of that name",
                 .expected = format_names(),
                 .found = format});
  request->format = *known;
  if (colon != std::string::npos) request->class_name = format.substr(colon + 1);
  return {};
}

}  // namespace

Result<void> read_words(const ConvertWords& words, ConvertRequest* request) {
  SAMEBITS_TRY_VOID(read_format(words.format, request));
  if (!words.dtype.empty()) {
    request->dtype = dtype_from_torch(words.dtype);
    if (!request->dtype || !can_cast_to(*request->dtype))
      return fail({.code = ErrorCode::usage,
                   .what = "--dtype: that is no type to cast to",
                   .expected = "float64, float32, float16 or bfloat16",
                   .found = words.dtype});
  }
  if (!words.shard_size.empty()) {
    request->shard_bytes = parse_size(words.shard_size);
    if (!request->shard_bytes)
      return fail({.code = ErrorCode::usage,
                   .what = "--shard-size: that is no size",
                   .expected = "a whole number with KB, MB, GB or TB",
                   .found = words.shard_size});
  }
  return check_combinations(words, *request);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t size;
  };
  constexpr std::array<Unit, 5> kUnits = {Unit{"TB", 1'000'000'000'000}, Unit{"GB", 1'000'000'000},
                                          Unit{"MB", 1'000'000}, Unit{"KB", 1'000}, Unit{"", 1}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const std::string_view digits = text.substr(0, text.size() - unit.name.size());
    std::uint64_t count = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    std::uint64_t size = 0;
    if (error != std::errc() || stop != digits.data() + digits.size() || count == 0 ||
        !checked_mul(count, unit.size, &size))
      return std::nullopt;
    return size;
  }
  return std::nullopt;
}

}  // namespace samebits
