// Where in an object the weights stand, by the names that people use and by structure.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

/// A part of the object that could be a model's weights.
struct Place {
  std::string key;  // dotted path from the top; "" is the top itself
  NodeId node = pickle::kNone;
  bool is_module = false;
  int rank = 0;  // in the order of preference; kUnranked where the name says nothing
};
inline constexpr int kUnranked = 1000;

/// In the order of preference: at least one where the object holds any tensor outside an optimizer
/// or generator state, else none.
std::vector<Place> find_weights(const pickle::Tree& tree, NodeId root);

/// The same for numpy arrays, in an object without tensors: a dict of them, one that stands under
/// a key, a sequence, or an array alone.
std::vector<Place> find_array_weights(const pickle::Tree& tree, NodeId root);

/// A state_dict() of an optimizer: "state" and "param_groups".
bool is_optimizer_state(const pickle::Tree& tree, NodeId node);
/// A key under which generator states are kept ("rng_state", "torch_random_state", ...).
bool is_rng_key(const std::string& key);
/// Such a key, and what stands under it may be such a state: a matrix under it is a weight.
bool holds_generators(const pickle::Tree& tree, const KeyValue& item);
/// A key under which people keep weights ("model", "state_dict", "student", "ema").
bool is_usual_key(const std::string& key);
/// A key under which averaged weights are kept ("ema", "model_ema", "shadow_params", ...).
bool is_average_key(const std::string& key);

}  // namespace samebits
