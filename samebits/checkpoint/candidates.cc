#include "samebits/checkpoint/candidates.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/numpy_objects.h"
#include "samebits/checkpoint/torch_tensor.h"

namespace samebits {
namespace {

using pickle::Tree;

// Raw weights before averaged ones, since that is what load_state_dict() in a training script
// takes.
constexpr std::array kPreference = std::to_array<std::string_view>({
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net_state_dict",
    "net",
    "network",
    "weights",
    "params",
    "model_weights",
    "student",
    "generator",
    "state_dict_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "ema_model_state_dict",
    "model_ema",
    "ema_model",
    "ema",
    "params_ema",
    "teacher",
});

int rank_of(const std::string& key) {
  const auto found = std::find(kPreference.begin(), kPreference.end(), key);
  return found == kPreference.end() ? kUnranked : static_cast<int>(found - kPreference.begin());
}

/// Tensors among the values of a mapping, and whether any lies deeper.
struct TensorCount {
  int direct = 0;
  bool nested = false;
};

/// True where a tensor or module lies at or below `node`, looking at no more than 2,000 values and
/// 6 levels.
bool holds_tensors(const Tree& tree, NodeId node, int depth, int& budget) {
  if (--budget < 0 || depth > 6) return false;
  if (is_tensor(tree, node) || is_module(tree, node)) return true;
  if (is_mapping(tree, node)) {
    for (const KeyValue& item : mapping_items(tree, node)) {
      if (holds_tensors(tree, item.value, depth + 1, budget)) return true;
    }
    return false;
  }
  const auto items = elements(tree, node);
  return std::any_of(items.begin(), items.end(),
                     [&](NodeId item) { return holds_tensors(tree, item, depth + 1, budget); });
}

bool holds_tensors(const Tree& tree, NodeId node) {
  int budget = 2'000;
  return holds_tensors(tree, node, 0, budget);
}

/// Adds what stands under `key`: a module, a dict of tensors, or, one level down, a dict of tensors
/// under a usual name (chgnet's "model.state_dict").
void add_places(const Tree& tree, const KeyValue& item, const std::string& prefix,
                std::vector<Place>& places) {
  const std::string key = join_path(prefix, item.key);
  if (holds_generators(tree, item) || is_optimizer_state(tree, item.value)) return;
  if (is_module(tree, item.value)) {
    places.push_back({key, item.value, true, rank_of(item.key)});
    return;
  }
  if (!is_mapping(tree, item.value) || !holds_tensors(tree, item.value)) return;
  if (prefix.empty()) {
    const std::size_t before = places.size();
    for (const KeyValue& inner : mapping_items(tree, item.value)) {
      if (rank_of(inner.key) != kUnranked || is_module(tree, inner.value))
        add_places(tree, inner, key, places);
    }
    if (places.size() > before) return;
  }
  places.push_back({key, item.value, false, rank_of(item.key)});
}

std::vector<Place> places_of(const Tree& tree, NodeId root) {
  std::vector<Place> places;
  for (const KeyValue& item : mapping_items(tree, root)) add_places(tree, item, "", places);
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.rank < b.rank; });
  return places;
}

bool has_direct_tensor(const Tree& tree, NodeId mapping) {
  const auto items = mapping_items(tree, mapping);
  return std::any_of(items.begin(), items.end(), [&](const KeyValue& item) {
    return is_tensor(tree, item.value) && !holds_generators(tree, item);
  });
}

bool has_training_key(const Tree& tree, NodeId mapping) {
  const auto items = mapping_items(tree, mapping);
  return std::any_of(items.begin(), items.end(), [&](const KeyValue& item) {
    return item.key == "epoch" || item.key == "step" || item.key == "iteration" ||
           item.key == "global_step" || holds_generators(tree, item) ||
           item.key.find("optim") != std::string::npos || is_optimizer_state(tree, item.value);
  });
}

std::vector<Place> in_mapping(const Tree& tree, NodeId root) {
  std::vector<Place> places = places_of(tree, root);
  const Place whole{"", root, false, kUnranked};
  const bool any_known = !places.empty() && places[0].rank != kUnranked;
  const bool any_module =
      std::any_of(places.begin(), places.end(), [](const Place& p) { return p.is_module; });
  if (any_known) return places;
  if (has_direct_tensor(tree, root)) return {whole};
  if (any_module || (places.size() == 1 && has_training_key(tree, root))) return places;
  if (places.empty()) return {};
  places.insert(places.begin(), whole);
  return places.size() == 2 ? std::vector<Place>{whole} : places;
}

constexpr std::size_t kMostOfAList = 10'000;

/// (model, optimizer): the one element that is a module or a dict of tensors; else everything.
std::vector<Place> in_sequence(const Tree& tree, NodeId root) {
  std::vector<Place> places;
  const auto items = elements(tree, root);
  for (std::size_t i = 0; i < items.size() && i < kMostOfAList; ++i) {
    const bool is_weights = is_module(tree, items[i]) ||
                            (is_mapping(tree, items[i]) && !is_optimizer_state(tree, items[i]) &&
                             has_direct_tensor(tree, items[i]));
    if (is_weights)
      places.push_back({std::to_string(i), items[i], is_module(tree, items[i]), kUnranked});
  }
  if (!places.empty()) return places;
  return holds_tensors(tree, root) ? std::vector<Place>{{"", root, false, kUnranked}} : places;
}

/// An array at or below a mapping, at most 6 levels down.
bool holds_arrays(const Tree& tree, NodeId node, int depth, int& budget) {
  if (--budget < 0 || depth > 6) return false;
  if (is_numpy_array(tree, node)) return true;
  if (!is_mapping(tree, node) || is_optimizer_state(tree, node)) return false;
  const auto items = mapping_items(tree, node);
  return std::any_of(items.begin(), items.end(), [&](const KeyValue& item) {
    return !is_rng_key(item.key) && holds_arrays(tree, item.value, depth + 1, budget);
  });
}

std::string lower(const std::string& text) {
  std::string result = text;
  for (char& c : result) c = (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace

std::vector<Place> find_weights(const Tree& tree, NodeId root) {
  if (is_module(tree, root)) return {{"", root, true, 0}};
  if (is_tensor(tree, root)) return {{"", root, false, 0}};
  if (is_optimizer_state(tree, root)) return {};
  if (is_mapping(tree, root)) return in_mapping(tree, root);
  if (tree.kind(root) == pickle::Kind::object) {
    return holds_tensors(tree, root) ? std::vector<Place>{{"", root, false, kUnranked}}
                                     : std::vector<Place>{};
  }
  return in_sequence(tree, root);
}

std::vector<Place> find_array_weights(const Tree& tree, NodeId root) {
  const std::vector<Place> whole{{"", root, false, kUnranked}};
  const auto is_array = [&](NodeId node) { return is_numpy_array(tree, node); };
  if (is_array(root)) return whole;
  if (is_sequence(tree, root)) {
    const auto items = sequence_items(tree, root);
    return std::any_of(items.begin(), items.end(), is_array) ? whole : std::vector<Place>();
  }
  if (!is_mapping(tree, root) || is_optimizer_state(tree, root)) return {};
  std::vector<Place> places;
  int budget = 2'000;
  for (const KeyValue& item : mapping_items(tree, root)) {
    if (is_rng_key(item.key) || !holds_arrays(tree, item.value, 1, budget)) continue;
    if (is_array(item.value)) return whole;
    places.push_back({item.key, item.value, false, rank_of(item.key)});
  }
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.rank < b.rank; });
  const bool any_known = !places.empty() && places[0].rank != kUnranked;
  return any_known || places.empty() ? places : whole;
}

bool is_optimizer_state(const Tree& tree, NodeId node) {
  if (!is_mapping(tree, node)) return false;
  bool has_state = false;
  bool has_groups = false;
  for (const KeyValue& item : mapping_items(tree, node)) {
    has_state = has_state || (item.key == "state" && is_mapping(tree, item.value));
    has_groups = has_groups || (item.key == "param_groups" && is_sequence(tree, item.value));
  }
  return has_state && has_groups;
}

bool is_rng_key(const std::string& key) {
  const std::string name = lower(key);
  return name == "rng" || name.find("rng_state") != std::string::npos ||
         name.find("random_state") != std::string::npos || name.find("rng_") == 0 ||
         name.ends_with("_rng") || name == "random_rng_state" || name == "generator_state";
}

bool holds_generators(const Tree& tree, const KeyValue& item) {
  return is_rng_key(item.key) && may_be_generator_state(tree, item.value);
}

bool is_usual_key(const std::string& key) { return rank_of(short_name(key)) != kUnranked; }

bool is_average_key(const std::string& key) {
  const std::string name = lower(short_name(key));
  return name == "ema" || name.starts_with("ema_") || name.ends_with("_ema") ||
         name.find("_ema_") != std::string::npos || name.find("shadow") != std::string::npos ||
         name.find("averaged") != std::string::npos || name.starts_with("swa_") ||
         name.starts_with("averaging_") || name == "teacher";
}

}  // namespace samebits
