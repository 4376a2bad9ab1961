#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "samebits/compare/config.h"
#include "samebits/family/draws.h"

namespace samebits {
namespace {

const Json* attribute(const ModuleRecord& module, std::string_view name) {
  if (!module.hyper.is_object()) return nullptr;
  const auto found = module.hyper.find(std::string(name));
  return found == module.hyper.end() ? nullptr : &*found;
}

double number(const ModuleRecord& module, std::string_view name, double otherwise) {
  const Json* value = attribute(module, name);
  return value != nullptr && value->is_number() ? value->get<double>() : otherwise;
}

bool drops(const ModuleRecord& module) {
  return std::ranges::any_of(probability_attributes(),
                             [&](std::string_view name) { return number(module, name, 0) > 0; });
}

/// The constructors' defaults stand where a class from before an attribute was pickled.
bool tracks_statistics(const ModuleRecord& module) {
  const Json* value = attribute(module, "track_running_stats");
  return value == nullptr || !value->is_boolean() || value->get<bool>();
}

ModeEffect random_if(bool condition) { return condition ? ModeEffect::random : ModeEffect::none; }

/// Files of the same code may name its module otherwise: "__main__.Net", "train.Net".
std::string_view short_class(const ModuleRecord& module) {
  const std::string_view path = module.class_path;
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

using Indexes = std::vector<std::size_t>;

bool one_mode(const std::vector<ModuleRecord>& modules, const Indexes& group) {
  return std::all_of(group.begin(), group.end(), [&](std::size_t index) {
    return modules[index].training == modules[group[0]].training;
  });
}

std::map<std::string_view, Indexes> by_class(const std::vector<ModuleRecord>& modules,
                                             const std::vector<bool>& taken) {
  std::map<std::string_view, Indexes> groups;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    if (!taken[i]) groups[short_class(modules[i])].push_back(i);
  }
  return groups;
}

/// A path below `prefix` without it, or nothing. The root's prefix is "".
std::optional<std::string_view> below(std::string_view path, std::string_view prefix) {
  if (prefix.empty()) return path;
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.empty()) return path;
  if (path[0] != '.') return std::nullopt;
  return path.substr(1);
}

class Alignment {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Alignment(const std::vector<ModuleRecord>& a, const std::vector<ModuleRecord>& b)
      : a_(a), b_(b), partner_(a.size(), kNone) {
    align_by_path();
    align_by_class();
  }
  std::size_t partner(std::size_t index) const { return partner_[index]; }

 private:
  // A wrapper and the model in it stand among the first modules.
  static constexpr std::size_t kRoots = 8;

  /// Pairs paths below one module of A and one of B of the same class, whichever pair gives most.
  void align_by_path() {
    std::vector<std::size_t> best = pair_below("", "");
    std::size_t most = std::max<std::size_t>(count(best), 1);  // two leaves are no two models
    for (std::size_t i = 0; i < std::min(kRoots, a_.size()); ++i) {
      for (std::size_t j = 0; j < std::min(kRoots, b_.size()); ++j) {
        if (short_class(a_[i]) != short_class(b_[j])) continue;
        std::vector<std::size_t> pairs = pair_below(a_[i].path, b_[j].path);
        const std::size_t pair_count = count(pairs);
        if (pair_count <= most) continue;
        most = pair_count;
        best = std::move(pairs);
      }
    }
    partner_ = std::move(best);
  }

  std::vector<std::size_t> pair_below(std::string_view prefix_a, std::string_view prefix_b) const {
    std::map<std::string_view, std::size_t> paths;
    for (std::size_t j = 0; j < b_.size(); ++j) {
      if (const auto path = below(b_[j].path, prefix_b)) paths.emplace(*path, j);
    }
    std::vector<std::size_t> pairs(a_.size(), kNone);
    for (std::size_t i = 0; i < a_.size(); ++i) {
      const auto path = below(a_[i].path, prefix_a);
      const auto found = path ? paths.find(*path) : paths.end();
      if (found == paths.end()) continue;
      if (short_class(a_[i]) == short_class(b_[found->second])) pairs[i] = found->second;
      paths.erase(found);  // a path that stands twice has one partner
    }
    return pairs;
  }

  static std::size_t count(const std::vector<std::size_t>& pairs) {
    return pairs.size() - static_cast<std::size_t>(std::count(pairs.begin(), pairs.end(), kNone));
  }

  /// The k-th of the modules of a class that are left and the k-th on the other side, where there
  /// are as many, or where it does not matter which: each side's are all in one mode.
  void align_by_class() {
    std::vector<bool> taken_a(a_.size());
    std::vector<bool> taken_b(b_.size());
    for (std::size_t i = 0; i < a_.size(); ++i) {
      if (partner_[i] == kNone) continue;
      taken_a[i] = true;
      taken_b[partner_[i]] = true;
    }
    const auto groups_b = by_class(b_, taken_b);
    for (const auto& [name, group] : by_class(a_, taken_a)) {
      const auto other = groups_b.find(name);
      if (other == groups_b.end()) continue;
      const Indexes& partners = other->second;
      if (group.size() != partners.size() && !(one_mode(a_, group) && one_mode(b_, partners)))
        continue;
      for (std::size_t k = 0; k < std::min(group.size(), partners.size()); ++k)
        partner_[group[k]] = partners[k];
    }
  }

  const std::vector<ModuleRecord>& a_;
  const std::vector<ModuleRecord>& b_;
  std::vector<std::size_t> partner_;  // index into b_
};

}  // namespace

ModeEffect mode_effect(const ModuleRecord& module) {
  const std::optional<FlagUse> use = flag_use(module.class_path);
  if (!use) return ModeEffect::unknown;
  switch (*use) {
    case FlagUse::never: return ModeEffect::none;
    case FlagUse::dropout: return random_if(drops(module));
    case FlagUse::slope: return random_if(number(module, "lower", 0) != number(module, "upper", 1));
    case FlagUse::recurrent:
      return random_if(number(module, "dropout", 0) > 0 && number(module, "num_layers", 1) > 1);
    case FlagUse::statistics:
      return tracks_statistics(module) ? ModeEffect::statistics : ModeEffect::none;
    case FlagUse::fast_path: return drops(module) ? ModeEffect::random : ModeEffect::unknown;
  }
  return ModeEffect::unknown;
}

std::vector<ModeDifference> compare_modes(const std::vector<ModuleRecord>& a,
                                          const std::vector<ModuleRecord>& b) {
  const Alignment alignment(a, b);
  std::vector<ModeDifference> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t j = alignment.partner(i);
    if (j == Alignment::kNone || a[i].training == b[j].training) continue;
    differences.push_back(
        {a[i].path, a[i].training, b[j].training, mode_effect(a[i].training ? a[i] : b[j])});
  }
  return differences;
}

}  // namespace samebits
