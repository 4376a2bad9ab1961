#include "samebits/base/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>
#include <vector>

namespace samebits {
namespace {

using Words = std::vector<std::string>;

Words split(std::string_view text, char separator) {
  Words words;
  while (true) {
    const std::size_t end = text.find(separator);
    words.emplace_back(text.substr(0, end));
    if (end == text.npos) return words;
    text.remove_prefix(end + 1);
  }
}

bool contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The lines of a small file; none where it cannot be read.
Words lines_of(const std::string& path) {
  Words lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::optional<double> positive(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> ratio(const std::string& quota, const std::string& period) {
  const auto allowed = positive(quota);  // "max" and -1: no limit
  const auto of = positive(period);
  if (!allowed || !of) return std::nullopt;
  return *allowed / *of;
}

/// Of one group, which has its folder.
std::optional<double> limit_of(const std::string& folder) {
  if (const Words lines = lines_of(folder + "/cpu.max"); !lines.empty()) {
    const Words words = split(lines[0], ' ');
    return words.size() == 2 ? ratio(words[0], words[1]) : std::nullopt;
  }
  const Words quota = lines_of(folder + "/cpu.cfs_quota_us");
  const Words period = lines_of(folder + "/cpu.cfs_period_us");
  return quota.empty() || period.empty() ? std::nullopt : ratio(quota[0], period[0]);
}

/// A line of /proc/self/mountinfo that mounts control groups which rule processors.
struct Mount {
  bool unified = false;  // version 2
  std::string group;     // that stands at the mount's root
  std::string folder;
};

std::optional<Mount> mount_of(const std::string& line) {
  const Words words = split(line, ' ');
  const auto dash = std::find(words.begin(), words.end(), "-");
  if (dash - words.begin() < 5 || words.end() - dash < 4) return std::nullopt;
  const bool unified = dash[1] == "cgroup2";
  if (!unified && (dash[1] != "cgroup" || !contains(split(dash[3], ','), "cpu")))
    return std::nullopt;
  return Mount{unified, words[3] == "/" ? "" : words[3], words[4]};
}

/// The group of this process in that hierarchy, "" for its root. A line is "4:cpu,cpuacct:/a/b",
/// and "0::/a/b" in version 2.
std::string own_group(const Words& lines, bool unified) {
  for (const std::string& line : lines) {
    const Words words = split(line, ':');
    if (words.size() < 3) continue;
    const bool fits = unified ? words[1].empty() : contains(split(words[1], ','), "cpu");
    if (fits) return words[2] == "/" ? "" : words[2];
  }
  return "";
}

/// Where a group stands below the mount's root: "" or "/a/b". Of a part of the tree that the mount
/// does not show, its root is all that there is to see.
std::string place_below(const std::string& group, const std::string& root) {
  const std::string below = group.starts_with(root) ? group.substr(root.size()) : "";
  const bool shown = below.starts_with('/') && !below.starts_with("/..");
  return shown ? below : "";
}

}  // namespace

int affinity_processors() {
  constexpr std::size_t kMostSets = 1024;  // a million processors
  for (std::size_t count = 1; count <= kMostSets; count *= 2) {
    std::vector<cpu_set_t> sets(count);
    const std::size_t bytes = count * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, sets.data()) == 0)
      return std::max(1, CPU_COUNT_S(bytes, sets.data()));
  }
  return 1;
}

std::optional<double> control_group_processors(const std::string& root) {
  const Words groups = lines_of(root + "/proc/self/cgroup");
  std::optional<double> least;
  for (const std::string& line : lines_of(root + "/proc/self/mountinfo")) {
    const std::optional<Mount> mount = mount_of(line);
    if (!mount) continue;
    for (std::string below = place_below(own_group(groups, mount->unified), mount->group);;
         below.resize(below.rfind('/'))) {
      const std::optional<double> limit = limit_of(root + mount->folder + below);
      if (limit && (!least || *limit < *least)) least = limit;
      if (below.empty()) break;
    }
  }
  return least;
}

}  // namespace samebits
