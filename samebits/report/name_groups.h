// Many tensor names as few lines: names that differ only in numbers stand together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace samebits {

/// "blocks.3.norm.weight" as "blocks.{n}.norm.weight": every part that is a number is replaced.
std::string name_template(std::string_view name);

struct NameGroup {
  std::string text;                    // the name itself where there is one, else the template
  std::vector<std::uint32_t> members;  // indexes into the names
  std::string numbers;                 // "n = 0-11" or "n = 0, 3, 7"; "" where it says nothing
};

/// In the order of first appearance.
std::vector<NameGroup> group_names(const std::vector<std::string>& names);

struct PrefixGroup {
  std::string text;  // a whole template, or a prefix followed by ".*"
  std::vector<std::uint32_t> members;
  bool whole = false;  // the members share their whole template
};

/// The names under at most `most` prefixes (more only where the first components alone are more):
/// the largest group is split by its next component as long as the parts fit. In the order of first
/// appearance.
std::vector<PrefixGroup> group_by_prefix(const std::vector<std::string>& names, std::size_t most);

}  // namespace samebits
