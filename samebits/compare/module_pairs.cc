#include "samebits/compare/module_pairs.h"

#include <map>
#include <unordered_map>

namespace samebits {
namespace {

constexpr std::size_t kUnpaired = ModulePairs::kNone;

class Pairing {
 public:
  Pairing(const std::vector<ModuleRecord>& a, const std::vector<ModuleRecord>& b)
      : a_(a), b_(b), in_a_(by_path(a)), in_b_(by_path(b)) {
    pairs_.of_a.assign(a.size(), kUnpaired);
    pairs_.of_b.assign(b.size(), kUnpaired);
  }

  void by_tensors(const NamePairs& tensors) {
    for (const auto& [name_a, name_b] : tensors) {
      std::string_view place_a = parent_path(name_a);
      std::string_view place_b = parent_path(name_b);
      bool owner = true;
      while (true) {
        const std::size_t i = find(in_a_, place_a);
        const std::size_t j = find(in_b_, place_b);
        if (i == kUnpaired || j == kUnpaired) break;
        if (!owner && class_name(a_[i]) != class_name(b_[j])) break;
        if (!join(i, j) || place_a.empty() || place_b.empty()) break;
        place_a = parent_path(place_a);
        place_b = parent_path(place_b);
        owner = false;
      }
    }
  }

  /// Parents stand before their children.
  void by_place() {
    if (!a_.empty() && !b_.empty()) join(0, 0);
    for (std::size_t i = 1; i < a_.size(); ++i) {
      if (pairs_.of_a[i] != kUnpaired) continue;
      const std::string& path = a_[i].path;
      const std::size_t parent = find(in_a_, parent_path(path));
      if (parent == kUnpaired || pairs_.of_a[parent] == kUnpaired) continue;
      const std::string_view last = std::string_view(path).substr(path.rfind('.') + 1);
      const std::string& other = b_[pairs_.of_a[parent]].path;
      const std::size_t j =
          find(in_b_, other.empty() ? std::string(last) : other + "." + std::string(last));
      if (j != kUnpaired) join(i, j);
    }
  }

  void by_class() {
    const auto left = rest(a_, pairs_.of_a);
    const auto right = rest(b_, pairs_.of_b);
    for (const auto& [name, group] : left) {
      const auto other = right.find(name);
      if (other == right.end() || other->second.size() != group.size()) continue;
      for (std::size_t k = 0; k < group.size(); ++k) join(group[k], other->second[k]);
    }
  }

  ModulePairs take() { return std::move(pairs_); }

 private:
  using Places = std::unordered_map<std::string_view, std::size_t>;

  static Places by_path(const std::vector<ModuleRecord>& modules) {
    Places places;
    for (std::size_t i = 0; i < modules.size(); ++i) places.emplace(modules[i].path, i);
    return places;
  }

  static std::size_t find(const Places& places, std::string_view path) {
    const auto found = places.find(path);
    return found == places.end() ? kUnpaired : found->second;
  }

  static std::map<std::string_view, std::vector<std::size_t>> rest(
      const std::vector<ModuleRecord>& modules, const std::vector<std::size_t>& partner) {
    std::map<std::string_view, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < modules.size(); ++i) {
      if (partner[i] == kUnpaired) groups[class_name(modules[i])].push_back(i);
    }
    return groups;
  }

  bool join(std::size_t i, std::size_t j) {
    if (pairs_.of_a[i] != kUnpaired || pairs_.of_b[j] != kUnpaired) return false;
    pairs_.of_a[i] = j;
    pairs_.of_b[j] = i;
    return true;
  }

  const std::vector<ModuleRecord>& a_;
  const std::vector<ModuleRecord>& b_;
  Places in_a_, in_b_;
  ModulePairs pairs_;
};

}  // namespace

std::string_view class_name(const ModuleRecord& module) {
  const std::string_view path = module.class_path;
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

std::string_view parent_path(std::string_view path) {
  const std::size_t end = path.rfind('.');
  return end == std::string_view::npos ? std::string_view() : path.substr(0, end);
}

ModulePairs pair_modules(const std::vector<ModuleRecord>& a, const std::vector<ModuleRecord>& b,
                         const NamePairs& tensors) {
  Pairing pairing(a, b);
  pairing.by_tensors(tensors);
  pairing.by_place();
  pairing.by_class();
  return pairing.take();
}

}  // namespace samebits
