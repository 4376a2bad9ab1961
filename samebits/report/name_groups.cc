#include "samebits/report/name_groups.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace samebits {
namespace {

constexpr std::size_t kDeepest = 16;  // components by which a group may be split

bool is_number(std::string_view part) {
  return !part.empty() && part.find_first_not_of("0123456789") == part.npos;
}

// Calls each(part) for every dotted part of a name.
template <class F>
void for_each_part(std::string_view name, F each) {
  for (;;) {
    const std::size_t dot = name.find('.');
    each(name.substr(0, dot));
    if (dot == name.npos) return;
    name.remove_prefix(dot + 1);
  }
}

// The one number of a name, or nothing where it has none, several, or a very long one.
std::vector<std::uint64_t> numbers_in(std::string_view name) {
  std::vector<std::uint64_t> found;
  for_each_part(name, [&found](std::string_view part) {
    if (is_number(part) && part.size() < 10) found.push_back(std::stoull(std::string(part)));
  });
  return found;
}

std::string numbers_text(const std::vector<std::string>& names,
                         const std::vector<std::uint32_t>& members) {
  if (members.size() < 2) return "";
  std::vector<std::string> chosen;
  for (const std::uint32_t index : members) chosen.push_back(names[index]);
  const std::string numbers = numbers_of(chosen);
  return numbers.empty() ? "" : "n = " + numbers;
}

// Length of the first `depth` parts of a template.
std::size_t prefix_length(std::string_view text, std::size_t depth) {
  std::size_t end = 0;
  for (std::size_t part = 0; part < depth; ++part) {
    end = text.find('.', end + (part > 0 ? 1 : 0));
    if (end == text.npos) return text.size();
  }
  return end;
}

struct Node {
  std::size_t depth = 1;
  std::vector<std::uint32_t> members;
};

// Members with equal first `depth` parts stand together, in the order of first appearance.
std::vector<Node> split(const std::vector<std::string>& templates,
                        const std::vector<std::uint32_t>& members, std::size_t depth) {
  std::vector<Node> parts;
  std::unordered_map<std::string_view, std::size_t> place;
  for (const std::uint32_t index : members) {
    const std::string_view text = templates[index];
    const std::string_view prefix = text.substr(0, prefix_length(text, depth));
    const auto [found, is_new] = place.emplace(prefix, parts.size());
    if (is_new) parts.push_back({depth, {}});
    parts[found->second].members.push_back(index);
  }
  return parts;
}

bool is_whole(const std::vector<std::string>& templates, const Node& node) {
  const std::string& first = templates[node.members[0]];
  return std::all_of(node.members.begin(), node.members.end(),
                     [&](std::uint32_t index) { return templates[index] == first; });
}

// Replaces the largest group that can be split within the bound. False where there is none.
bool split_largest(const std::vector<std::string>& templates, std::vector<Node>* nodes,
                   std::size_t most) {
  std::vector<std::size_t> order(nodes->size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [nodes](std::size_t a, std::size_t b) {
    return (*nodes)[a].members.size() > (*nodes)[b].members.size();
  });
  for (const std::size_t at : order) {
    const Node node = (*nodes)[at];
    if (node.depth == kDeepest || is_whole(templates, node)) continue;
    std::vector<Node> parts = split(templates, node.members, node.depth + 1);
    if (nodes->size() - 1 + parts.size() > most) continue;
    nodes->erase(nodes->begin() + static_cast<std::ptrdiff_t>(at));
    nodes->insert(nodes->begin() + static_cast<std::ptrdiff_t>(at), parts.begin(), parts.end());
    return true;
  }
  return false;
}

}  // namespace

std::string name_template(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNumbers = {"{n}", "{m}", "{k}", "{l}"};
  std::string text;
  text.reserve(name.size());
  std::size_t numbers = 0;
  for_each_part(name, [&](std::string_view part) {
    text += is_number(part) ? kNumbers[std::min(numbers++, kNumbers.size() - 1)] : part;
    text += '.';
  });
  text.pop_back();
  return text;
}

std::string numbers_of(const std::vector<std::string>& names) {
  constexpr std::size_t kListed = 8;
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    const std::vector<std::uint64_t> found = numbers_in(name);
    if (found.size() != 1) return "";
    numbers.push_back(found[0]);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.empty()) return "";
  const bool gapless = numbers.back() - numbers.front() + 1 == numbers.size();
  if (gapless && numbers.size() > 1)
    return std::to_string(numbers.front()) + "-" + std::to_string(numbers.back());
  if (numbers.size() > kListed) return "";
  std::string text = std::to_string(numbers[0]);
  for (std::size_t i = 1; i < numbers.size(); ++i) text += ", " + std::to_string(numbers[i]);
  return text;
}

std::vector<PrefixGroup> group_by_prefix(const std::vector<std::string>& names, std::size_t most) {
  std::vector<std::string> templates;
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    templates.push_back(name_template(names[i]));
    all.push_back(i);
  }
  std::vector<Node> nodes = split(templates, all, 1);
  while (split_largest(templates, &nodes, most)) {
  }
  std::vector<PrefixGroup> groups;
  for (Node& node : nodes) {
    const std::string& first = templates[node.members[0]];
    const bool whole = is_whole(templates, node);
    std::string text = whole ? first : first.substr(0, prefix_length(first, node.depth)) + ".*";
    if (node.members.size() == 1) text = names[node.members[0]];
    std::string numbers = numbers_text(names, node.members);
    groups.push_back({std::move(text), std::move(node.members), std::move(numbers)});
  }
  return groups;
}

}  // namespace samebits
