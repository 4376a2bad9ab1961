// Many tensor names as few lines: names that differ only in numbers stand together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace samebits {

/// "stages.3.blocks.1.weight" as "stages.{n}.blocks.{m}.weight": every part that is a number is
/// replaced.
std::string name_template(std::string_view name);

/// "0-11" or "0, 3, 7": the one number of each name; "" where names have none or several, or the
/// list would be long.
std::string numbers_of(const std::vector<std::string>& names);

struct PrefixGroup {
  std::string text;  // the one name, a template that all members share, or a prefix with ".*"
  std::vector<std::uint32_t> members;  // indexes into the names
  std::string numbers;  // "n = 0-11" or "n = 0, 3, 7"; "" where that cannot be said in short
};

/// The names under at most `most` prefixes (more only where the first components alone are more):
/// the largest group is split by its next component as long as the parts fit. In the order of first
/// appearance.
std::vector<PrefixGroup> group_by_prefix(const std::vector<std::string>& names, std::size_t most);

}  // namespace samebits
