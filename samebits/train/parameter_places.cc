#include "samebits/train/parameter_places.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>

namespace samebits {
namespace {

using Places = std::vector<std::vector<std::size_t>>;
using Model = std::vector<ModelParameter>;
using Listed = std::vector<ListedParameter>;

// Whether a parameter stands in the second group.
bool in_no_second(const ModelParameter&) { return false; }
bool is_bias(const ModelParameter& each) { return each.name.ends_with("bias"); }
bool is_vector(const ModelParameter& each) { return each.shape.size() <= 1 || is_bias(each); }
bool is_norm_or_bias(const ModelParameter& each) {
  return each.name.find("norm") != std::string::npos || each.name.find("bias") != std::string::npos;
}
bool is_head(const ModelParameter& each) {
  return each.name.find("classifier.") != std::string::npos || each.name.starts_with("decoder.") ||
         each.name.find(".decoder.") != std::string::npos;
}

using InSecond = bool (*)(const ModelParameter&);
constexpr InSecond kUsualLists[] = {in_no_second, is_norm_or_bias, is_vector, is_bias, is_head};

bool fits(const Model& model, const Listed& group, const std::vector<std::size_t>& places) {
  if (group.size() != places.size()) return false;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (group[i].shape && *group[i].shape != model[places[i]].shape) return false;
  }
  return true;
}

bool all_fit(const Model& model, const ParameterLists& groups, const Places& places) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!fits(model, groups[i], places[i])) return false;
  }
  return true;
}

/// The usual lists in two groups, or one.
Places usual_list(const Model& model, InSecond in_second, bool fixed_too, bool second_first,
                  std::size_t groups) {
  Places places(groups);
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (model[i].fixed && !fixed_too) continue;
    const bool behind = in_second(model[i]) != second_first;
    if (behind && groups == 1) return {};
    places[behind ? 1 : 0].push_back(i);
  }
  return places;
}

/// A group's parameters as places in the model's order, each as early as can be, or each as late.
std::optional<std::vector<std::size_t>> embedded(const Model& model, const Listed& group,
                                                 bool late) {
  std::vector<std::size_t> places(group.size());
  std::size_t next = 0;
  for (std::size_t k = 0; k < group.size(); ++k) {
    const std::size_t which = late ? group.size() - 1 - k : k;
    if (!group[which].shape) return std::nullopt;
    const auto at = [&](std::size_t i) { return late ? model.size() - 1 - i : i; };
    while (next < model.size() && model[at(next)].shape != *group[which].shape) ++next;
    if (next == model.size()) return std::nullopt;
    places[which] = at(next++);
  }
  return places;
}

/// The only choice of parameters in the model's order that has these shapes; nothing where there is
/// none, or several.
std::optional<Places> only_choice(const Model& model, const ParameterLists& groups) {
  if (groups.empty()) return std::nullopt;
  Places places;
  std::vector<bool> taken(model.size(), false);
  for (const Listed& group : groups) {
    const auto early = embedded(model, group, false);
    if (!early || early != embedded(model, group, true)) return std::nullopt;
    for (const std::size_t i : *early) {
      if (taken[i]) return std::nullopt;
      taken[i] = true;
    }
    places.push_back(*early);
  }
  return places;
}

std::string count_of(std::size_t n, const char* what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

Error not_placed(const ParameterLists& groups, const std::string& what) {
  std::size_t listed = 0;
  for (const Listed& group : groups) listed += group.size();
  return {
      .code = ErrorCode::unsupported,
      .what = fmt::format("the optimizer's {} in {} cannot be told apart: {}",
                          count_of(listed, "parameter"), count_of(groups.size(), "group"), what),
      .hint =
          "An optimizer that is given model.named_parameters() keeps their names (torch "
          "2.6 and later)"};
}

/// Where two placements put a moment in different places, in words.
std::string first_difference(const Model& model, const ParameterLists& groups, const Places& one,
                             const Places& other) {
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t k = 0; k < groups[i].size(); ++k) {
      if (one[i][k] != other[i][k])
        return fmt::format("{} can be {} and {}", groups[i][k].key, model[one[i][k]].name,
                           model[other[i][k]].name);
    }
  }
  return "";
}

Result<Places> place_by_name(const Model& model, const ParameterLists& groups) {
  std::map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < model.size(); ++i) by_name[model[i].name] = i;
  Places places;
  for (const Listed& group : groups) {
    places.emplace_back();
    for (const ListedParameter& each : group) {
      const auto found = by_name.find(each.name);
      const bool shaped =
          found != by_name.end() && (!each.shape || *each.shape == model[found->second].shape);
      if (!shaped)
        return fail({.code = ErrorCode::inconsistent,
                     .what = fmt::format("the optimizer's parameter {}, {}, is none of the model's",
                                         each.key, each.name)});
      places.back().push_back(found->second);
    }
  }
  return places;
}

}  // namespace

Result<Places> place_parameters(const Model& model, const ParameterLists& groups) {
  const auto named = [](const ListedParameter& each) { return !each.name.empty(); };
  const auto all_named = [&](const Listed& group) { return std::ranges::all_of(group, named); };
  if (!groups.empty() && std::ranges::all_of(groups, all_named))
    return place_by_name(model, groups);
  std::vector<Places> found;
  for (const InSecond in_second : kUsualLists) {
    for (const int way : {0, 1, 2, 3}) {
      if (groups.empty() || groups.size() > 2) continue;
      Places places = usual_list(model, in_second, way % 2 == 0, way >= 2, groups.size());
      const bool fit = places.size() == groups.size() && all_fit(model, groups, places);
      if (fit && std::ranges::find(found, places) == found.end()) found.push_back(places);
    }
  }
  if (found.size() > 1)
    return fail(not_placed(groups, first_difference(model, groups, found[0], found[1])));
  if (found.empty()) {
    if (auto only = only_choice(model, groups)) return *std::move(only);
    return fail(not_placed(groups, fmt::format("no usual list of the model's {} has the shapes of "
                                               "its moments",
                                               count_of(model.size(), "parameter"))));
  }
  return found[0];
}

}  // namespace samebits
