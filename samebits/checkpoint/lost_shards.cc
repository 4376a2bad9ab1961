#include "samebits/checkpoint/lost_shards.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "samebits/checkpoint/file_reader.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

std::set<std::string> files_of_tensors(const std::string& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code unknown;
    const bool may_be = name.ends_with(".safetensors") || name.ends_with(".bin");
    if (may_be && at->is_regular_file(unknown)) names.insert(name);
  }
  return names;
}

/// The parts of "model-00001-of-00003.safetensors".
struct ShardName {
  std::string stem, total, extension;
  std::size_t number = 0;
};

std::optional<std::size_t> number_in(std::string_view digits) {
  std::size_t number = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  constexpr std::size_t kWidth = 5;
  if (digits.size() != kWidth || error != std::errc() || stop != digits.data() + digits.size())
    return std::nullopt;
  return number;
}

std::optional<ShardName> shard_name(const std::string& file) {
  const std::size_t dot = file.rfind('.');
  const std::size_t of = file.rfind("-of-", dot);
  if (dot == std::string::npos || of == std::string::npos || of < 6) return std::nullopt;
  ShardName name{.stem = file.substr(0, of - 6),
                 .total = file.substr(of + 4, dot - of - 4),
                 .extension = file.substr(dot)};
  const auto number = number_in(std::string_view(file).substr(of - 5, 5));
  if (!number || !number_in(name.total) || file[of - 6] != '-') return std::nullopt;
  name.number = *number;
  return name;
}

std::size_t count_held(const std::string& path, const std::set<std::string>& wanted) {
  Checkpoint part;
  part.path = path;
  Result<std::shared_ptr<const MappedFile>> map = MappedFile::open(path);
  if (!map) return 0;
  part.files.push_back({path, "", *std::move(map)});
  if (!read_file(part, {.file = 0, .main = true}) || !part.has_weights()) return 0;
  return static_cast<std::size_t>(std::ranges::count_if(
      part.weights().weights,
      [&](std::uint32_t index) { return wanted.contains(part.entries[index].name); }));
}

}  // namespace

std::string ShardSeries::name() const {
  return fmt::format("{}-*-of-{}{}", stem, total, extension);
}

std::string ShardSeries::index_name() const { return stem + extension + ".index.json"; }

std::optional<ShardSeries> find_series(const std::string& directory) {
  constexpr std::size_t kMostShards = 10'000;
  std::map<std::string, ShardSeries> found;
  std::map<std::string, std::set<std::size_t>> numbers;
  for (const std::string& file : files_of_tensors(directory)) {
    const auto name = shard_name(file);
    if (!name || name->number == 0) continue;
    ShardSeries series{.stem = name->stem, .extension = name->extension, .total = name->total};
    const std::string key = series.name();
    found.emplace(key, std::move(series)).first->second.present.push_back(file);
    numbers[key].insert(name->number);
  }
  if (found.size() != 1) return std::nullopt;
  ShardSeries series = std::move(found.begin()->second);
  const std::size_t total = number_in(series.total).value_or(0);
  if (total < 2 || total > kMostShards || fs::exists(fs::path(directory) / series.index_name()))
    return std::nullopt;
  const std::set<std::size_t>& known = numbers.begin()->second;
  for (std::size_t i = 1; i <= total; ++i) {
    if (!known.contains(i))
      series.absent.push_back(
          fmt::format("{}-{:05}-of-{}{}", series.stem, i, series.total, series.extension));
  }
  return series;
}

std::pair<std::string, std::size_t> find_orphan(const std::string& directory,
                                                const std::set<std::string>& names,
                                                const ShardNames& shards) {
  constexpr int kMostFiles = 32;
  std::pair<std::string, std::size_t> best{"", 0};
  int looked_at = 0;
  for (const std::string& file : files_of_tensors(directory)) {
    if (shards.contains(file)) continue;
    if (++looked_at > kMostFiles) break;
    const std::size_t held = count_held((fs::path(directory) / file).string(), names);
    if (held > best.second) best = {file, held};
  }
  return best;
}

}  // namespace samebits
