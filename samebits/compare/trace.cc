#include "samebits/compare/trace.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>

namespace samebits {
namespace {

constexpr std::string_view kPrefixes[] = {
    "module.", "model.", "vit.", "deit.", "dinov2_with_registers.", "dinov2."};

std::string canonical(std::string name) {
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  constexpr std::string_view kBlocks = "encoder.layer.";
  if (name.starts_with(kBlocks)) name.replace(0, kBlocks.size(), "layers.");
  return name;
}

constexpr int kUnknownStage = 10;
constexpr long kAll = std::numeric_limits<long>::max();  // behind every block

/// Where a module of the ViT family stands in the pass: its stage, its block, its part of the
/// block.
struct Place {
  int stage = kUnknownStage;
  long block = 0;
  int part = 0;
  std::string name;  // children before their parent

  auto operator<=>(const Place&) const = default;
};

// In the order of the pass, by the beginnings of canonical names.
constexpr std::pair<std::string_view, int> kStages[] = {{"pixel_values", 0},
                                                        {"noise", 0},
                                                        {"embeddings", 1},
                                                        {"layers.", 2},
                                                        {"layernorm", 3},
                                                        {"pooler", 4},
                                                        {"last_hidden_state", 4},
                                                        {"classifier", 5},
                                                        {"cls_classifier", 5},
                                                        {"distillation_classifier", 5},
                                                        {"decoder.decoder_embed", 6},
                                                        {"decoder.decoder_layers.", 7},
                                                        {"decoder.decoder_norm", 8},
                                                        {"decoder.decoder_pred", 9},
                                                        {"logits", 9}};
constexpr std::pair<std::string_view, int> kParts[] = {
    {"layernorm_before", 0}, {"norm1", 0},        {"attention", 1}, {"layer_scale1", 2},
    {"layernorm_after", 3},  {"norm2", 3},        {"mlp", 4},       {"intermediate", 4},
    {"output", 5},           {"layer_scale2", 6}, {"dropout", 7},   {"drop_path", 7}};

// Of the modules inside a part, which run first.
constexpr std::pair<std::string_view, char> kSteps[] = {{"patch_embeddings", '0'},
                                                        {"projection", '0'},
                                                        {"query", '0'},
                                                        {"q_proj", '0'},
                                                        {"dense", '0'},
                                                        {"fc1", '0'},
                                                        {"weights_in", '0'},
                                                        {"gate_proj", '0'},
                                                        {"key", '1'},
                                                        {"k_proj", '1'},
                                                        {"up_proj", '1'},
                                                        {"activation", '1'},
                                                        {"activation_fn", '1'},
                                                        {"intermediate_act_fn", '1'},
                                                        {"value", '2'},
                                                        {"v_proj", '2'},
                                                        {"fc2", '2'},
                                                        {"weights_out", '2'},
                                                        {"down_proj", '2'},
                                                        {"attention", '3'},
                                                        {"output", '4'},
                                                        {"o_proj", '4'},
                                                        {"dropout", '8'}};

/// A name whose alphabetical order is that of the modules' ends: children before their parent.
std::string in_order(std::string_view name) {
  std::string text;
  while (!name.empty()) {
    const std::string_view step = name.substr(0, name.find('.'));
    const auto known = std::ranges::find(kSteps, step, &std::pair<std::string_view, char>::first);
    text += known == std::end(kSteps) ? '5' : known->second;
    text += step;
    if (step.size() == name.size()) break;
    text += '.';
    name.remove_prefix(step.size() + 1);
  }
  return text + "~";
}

Place place_of(const std::string& point) {
  const std::string name = canonical(point);
  Place place{.name = in_order(name)};
  // Modules that hold a whole stage, by what they end behind.
  constexpr std::tuple<std::string_view, int, long> kWholes[] = {{"encoder", 2, kAll},
                                                                 {"vit", 4, 1},
                                                                 {"deit", 4, 1},
                                                                 {"dinov2", 4, 1},
                                                                 {"dinov2_with_registers", 4, 1},
                                                                 {"decoder", 9, 1}};
  for (const auto& [whole, stage, block] : kWholes) {
    if (name != whole) continue;
    place.stage = stage;
    place.block = block;
    return place;
  }
  for (const auto& [beginning, stage] : kStages) {
    if (!name.starts_with(beginning)) continue;
    place.stage = stage;
    if (!beginning.ends_with('.')) return place;
    const std::string rest = name.substr(beginning.size());
    place.block = std::strtol(rest.c_str(), nullptr, 10);
    const std::size_t dot = rest.find('.');
    place.part = 8;  // the block itself
    for (const auto& [part, number] : kParts) {
      if (dot != std::string::npos && rest.compare(dot + 1, part.size(), part) == 0)
        place.part = number;
    }
    return place;
  }
  return place;
}

using Names = std::map<std::string, std::vector<std::uint32_t>>;

Names canonical_names(const Checkpoint& trace, const std::vector<std::uint32_t>& points,
                      const std::vector<bool>& used) {
  Names names;
  for (const std::uint32_t point : points) {
    if (!used[point]) names[canonical(trace.entries[point].path)].push_back(point);
  }
  return names;
}

}  // namespace

std::vector<std::uint32_t> trace_points(const Checkpoint& trace) {
  std::vector<std::uint32_t> points(trace.entries.size());
  std::iota(points.begin(), points.end(), 0U);
  std::map<std::string, std::size_t> place;
  for (const std::string& name : trace.trace_order) place.emplace(name, place.size());
  std::stable_sort(points.begin(), points.end(), [&](std::uint32_t x, std::uint32_t y) {
    const auto rank = [&](std::uint32_t point) {
      const auto at = place.find(trace.entries[point].path);
      return at == place.end() ? place.size() : at->second;
    };
    if (rank(x) != rank(y)) return rank(x) < rank(y);
    const Place one = place_of(trace.entries[x].path);
    const Place other = place_of(trace.entries[y].path);
    const bool known = one.stage < kUnknownStage && other.stage < kUnknownStage;
    if (known || one.stage != other.stage) return one < other;
    return trace.entries[x].offset < trace.entries[y].offset;
  });
  return points;
}

bool has_known_order(const Checkpoint& trace) {
  return !trace.trace_order.empty() ||
         std::ranges::all_of(trace.entries, [](const StoredTensor& entry) {
           return place_of(entry.path).stage < kUnknownStage;
         });
}

PointPairs match_points(const Checkpoint& a, const Checkpoint& b) {
  const std::vector<std::uint32_t> points_a = trace_points(a);
  const std::vector<std::uint32_t> points_b = trace_points(b);
  std::vector<bool> used_a(a.entries.size());
  std::vector<bool> used_b(b.entries.size());
  std::map<std::string, std::uint32_t> by_name;
  for (const std::uint32_t point : points_b) by_name[b.entries[point].path] = point;
  std::map<std::uint32_t, std::uint32_t> partner;
  const auto pair = [&](std::uint32_t x, std::uint32_t y) {
    partner[x] = y;
    used_a[x] = used_b[y] = true;
  };
  for (const std::uint32_t point : points_a) {
    const auto same = by_name.find(a.entries[point].path);
    if (same != by_name.end()) pair(point, same->second);
  }
  const Names names_b = canonical_names(b, points_b, used_b);
  for (const auto& [name, own] : canonical_names(a, points_a, used_a)) {
    const auto same = names_b.find(name);
    if (own.size() == 1 && same != names_b.end() && same->second.size() == 1)
      pair(own[0], same->second[0]);
  }
  PointPairs pairs;
  for (const std::uint32_t point : points_a) {
    if (used_a[point]) {
      pairs.matched.emplace_back(point, partner[point]);
    } else {
      pairs.only_a.push_back(a.entries[point].path);
    }
  }
  for (const std::uint32_t point : points_b) {
    if (!used_b[point]) pairs.only_b.push_back(b.entries[point].path);
  }
  return pairs;
}

}  // namespace samebits
