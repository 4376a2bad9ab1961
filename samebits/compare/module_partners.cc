#include "samebits/compare/module_partners.h"

#include <algorithm>

namespace samebits {
namespace {

constexpr std::size_t kMostAround = 32;  // modules around a tensor that are looked at
constexpr const char* kRoot = " ";

/// The path of the module around: "a.b." of "a.b.c" and of "a.b.c."; "" of what has no dot.
std::string_view module_around(std::string_view path) {
  if (!path.empty() && path.back() == '.') path.remove_suffix(1);
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot + 1);
}

std::string path_key(std::string_view path) { return path.empty() ? kRoot : std::string(path); }

}  // namespace

void ModulePartners::learn(const std::vector<NamePair>& examples) {
  partners_.clear();
  for (const NamePair& example : examples) {
    std::string_view a = example.a;
    std::string_view b = example.b;
    for (std::size_t depth = 0; depth < kMostAround && !a.empty() && !b.empty(); ++depth) {
      const std::string_view around_a = module_around(a);
      const std::string_view around_b = module_around(b);
      if (a.substr(around_a.size()) != b.substr(around_b.size())) break;
      std::string partner = path_key(around_b);
      const auto [at, is_new] = partners_.try_emplace(path_key(around_a), partner);
      if (!is_new && at->second != partner) at->second.clear();
      a = around_a;
      b = around_b;
    }
  }
}

std::optional<std::string> ModulePartners::name_of(std::string_view name) const {
  if (partners_.empty()) return std::nullopt;
  std::string_view around = name;
  for (std::size_t depth = 0; depth < kMostAround && !around.empty(); ++depth) {
    around = module_around(around);
    const auto found = partners_.find(path_key(around));
    if (found == partners_.end() || found->second.empty()) continue;
    const std::string front = found->second == kRoot ? "" : found->second;
    return front + std::string(name.substr(around.size()));
  }
  return std::nullopt;
}

}  // namespace samebits
