#include "samebits/compare/stacked_order.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/name_pieces.h"
#include "samebits/family/module_words.h"

namespace samebits {
namespace {

using Parts = std::vector<const NamedTensor*>;

bool of_one_block(const std::vector<std::string>& roles) {
  const auto block = [](const std::string& role) { return role.substr(0, role.find(':') + 1); };
  return std::ranges::all_of(
      roles, [&](const std::string& role) { return block(role) == block(roles[0]); });
}

// "query" for "3:query.weight", and "3:query" where the block matters.
std::vector<std::string> short_roles(const std::vector<std::string>& roles, bool with_block) {
  std::vector<std::string> names;
  for (std::string role : roles) {
    if (!with_block) role.erase(0, role.find(':') + 1);
    names.push_back(role.substr(0, role.rfind('.')));
  }
  return names;
}

// The number in a part's name, where it is not the whole's: blocks.0.qkv made of layer.1's parts.
std::string other_block(const NamedTensor& whole, const Parts& parts) {
  const std::vector<std::string> own = name_numbers(whole.name);
  for (const NamedTensor* part : parts) {
    const std::vector<std::string> numbers = name_numbers(part->name);
    if (numbers.size() == own.size() && numbers != own)
      return fmt::format("{}", fmt::join(numbers, "."));
  }
  return "";
}

// "q", "k", "v" for parts whose names differ in just that; empty for others.
std::vector<std::string> attention_letters(const Parts& parts) {
  std::vector<std::string> letters;
  for (const NamedTensor* part : parts) {
    const Pieces own = split_name(part->name);
    const Pieces other = split_name((part == parts[0] ? parts.back() : parts[0])->name);
    const std::vector<Hunk> hunks = differing_hunks(own, other);
    if (hunks.size() != 1 || hunks[0].a_end != hunks[0].a_begin + 1) return {};
    const std::string letter(own[hunks[0].a_begin].substr(0, 1));
    if (std::string_view("qkv").find(letter) == std::string_view::npos) return {};
    letters.push_back(letter);
  }
  return letters;
}

// In the order in which a piece of the whole's name spells them ("qkv"), else q, k, v, as torch
// stacks them in in_proj_weight.
std::vector<std::string> wanted_letters(const NamedTensor& whole,
                                        const std::vector<std::string>& found) {
  if (found.empty()) return {};
  std::string sorted = std::accumulate(found.begin(), found.end(), std::string());
  std::string order = "qkv";
  std::sort(sorted.begin(), sorted.end());
  for (std::string spelt = sorted;;) {
    if (whole.name.find(spelt) != std::string::npos && spelt.size() > 1) order = spelt;
    if (!std::next_permutation(spelt.begin(), spelt.end())) break;
  }
  std::vector<std::string> wanted = found;
  std::stable_sort(wanted.begin(), wanted.end(), [&](const std::string& x, const std::string& y) {
    return order.find(x) < order.find(y);
  });
  return wanted;
}

/// Several parts of one kind: those of expert 0 stand before those of expert 1.
std::string order_of_numbers(const Parts& parts) {
  std::set<std::string> kinds;
  for (const NamedTensor* part : parts) kinds.insert(template_of(part->name));
  const auto before = [](const NamedTensor* x, const NamedTensor* y) {
    const std::vector<std::string> left = name_numbers(x->name);
    const std::vector<std::string> right = name_numbers(y->name);
    return std::ranges::lexicographical_compare(
        left, right, [](const auto& m, const auto& n) { return natural_less(m, n); });
  };
  if (kinds.size() == parts.size() || std::ranges::is_sorted(parts, before)) return "";
  return "is stacked in another order than the numbers of its parts";
}

/// Gate or up, where a part of the name says it.
model::ModuleWord gate_word(std::string_view name) {
  for (const std::string_view piece : split_name(name)) {
    const model::ModuleWord word = model::module_word(without_dot(piece));
    if (word == model::ModuleWord::gate || word == model::ModuleWord::up) return word;
  }
  return model::ModuleWord::none;
}

std::string order_of_gates(const NamedTensor& whole, const Parts& parts) {
  if (whole.name.find("gate_up") == std::string::npos) return "";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const model::ModuleWord word = gate_word(parts[i]->name);
    if (word == model::ModuleWord::none) return "";
    if (word != (i % 2 == 0 ? model::ModuleWord::gate : model::ModuleWord::up))
      return "is not stacked in the order gate, up of its name";
  }
  return "";
}

}  // namespace

std::string contrary_order(const NamedTensor& whole, const Parts& parts) {
  std::vector<std::string> found;
  for (const NamedTensor* part : parts)
    found.push_back(part->roles.size() == 1 ? part->roles[0] : "");
  std::vector<std::string> wanted = whole.roles;
  const bool told_by_roles =
      wanted.size() == found.size() && std::find(found.begin(), found.end(), "") == found.end();
  if (!told_by_roles) {
    if (const std::string block = other_block(whole, parts); !block.empty())
      return "holds what belongs to block " + block;
    if (const std::string gates = order_of_gates(whole, parts); !gates.empty()) return gates;
    found = attention_letters(parts);
    if (found.empty()) return order_of_numbers(parts);
    wanted = wanted_letters(whole, found);
  }
  if (found == wanted || wanted.empty()) return "";
  const bool several_blocks = !of_one_block(found) || !of_one_block(wanted);
  const std::vector<std::string> order = short_roles(found, several_blocks);
  const std::vector<std::string> expected = short_roles(wanted, several_blocks);
  if (order == expected)
    return "holds what belongs to block " + found[0].substr(0, found[0].find(':'));
  return fmt::format("is stacked in the order {} instead of {}", fmt::join(order, ", "),
                     fmt::join(expected, ", "));
}

}  // namespace samebits
